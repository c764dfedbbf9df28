"""The main job: one base, many fine-tunings, one table.

Read downward, as a run goes: command, settings, row, processes, report, table, figures (trade_offs, attention), page;
beside them search (of the learning rates: ladder, kept_rates, climbing), amounts (how much data?), kept (the full run
that README shows) and shipping (how it is kept), beside_hf (the same of Hugging Face PEFT), all_words (the adapters that
`pronounce` speaks with: long_training), and two studies (study): lora_study, prompt_study.
"""

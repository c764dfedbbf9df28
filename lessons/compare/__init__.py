"""The main job: one base, many fine-tunings, one table.

Read downward, as a run goes: command, settings, row, processes, report, table, figures (trade_offs, attention), page;
beside them search (of the learning rates), amounts (how much data?) and kept (the full run that README shows).
"""

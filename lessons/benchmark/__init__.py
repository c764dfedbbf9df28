"""The base's shape on the CMU dictionary, beside Phonetisaurus and g2p-seq2seq: command, figure."""

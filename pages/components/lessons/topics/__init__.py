"""The ten lessons: what each computes, asks and draws; its words are in ``text``."""

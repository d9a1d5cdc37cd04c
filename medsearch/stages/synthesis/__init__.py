"""Stages between the two contrasts of a synthesis task, and what those of every method have in common.

    CycleGANTranslation   a plain CycleGAN, which nothing ties to one paper, and its test    (cyclegan)
    Translating           any CycleGAN in training, given its batches and its total loss     (translating)
    tested                a test: scores on pairs, pictures, hours                           (testing)
    PairScores, Pictures  what is measured of pairs, and what is shown                       (pairs, pictures)

A method that pairs slices or adds terms declares a stage of its own on `Translating`.
"""

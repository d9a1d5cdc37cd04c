"""Stages: what a training phase is, the key that names its result, and the store that holds it.

A method declares its stages without torch, so that a plan can be made in a moment:

    Stage      a recipe, the parts of the task it reads, and a generator that trains      (stage)
    Pipeline   stages wired to each other                                                 (pipelines)
    StageRun   one stage of a pipeline under a seed, on a cohort, with its content key    (pipelines)
    Store      finished and running stages by key, in a folder or at a URI                (store)
    run_stage  trains what is not stored, resumes what was interrupted                    (execution)
    Method     a value: what its settings mean as a recipe, and a recipe as stages        (method)

A test exists once for each kind of task; a method says what its weights predict by:

    SegmentationTest   tumours, scored on halves or slices    (segmentation; `testing` is what runs it)
    SliceTest          the same, of a network that sees slices
    SynthesisTest      images, scored on pairs                (synthesis; `pairs` is what runs it)

`translating` trains any CycleGAN, given its batches and its total loss.

Behind the store: `manifest` (which file is what, and what a finished stage says), `index` (a thousand manifests at a
glance), `bucket` (how stages lie at a URI, and how a running one's state is kept there), `folders` (a stage's folder on
a node: checked, sent, fetched, trained anew). `code` says which code trained a stage, `memory` how a stage comes down
when memory runs out, `prune` what can go.
"""

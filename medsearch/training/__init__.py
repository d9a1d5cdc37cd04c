"""How networks are trained and looked at: no method, no stage.

fitting       networks in training: an epoch of steps, epochs until the best is known
loop          epochs, validation, checkpoints that resume exactly    (epochs, checkpoints)
adversarial   steps against discriminators                           (generative, cyclegan: two families of them)
inference     whole cases, slice by slice                            (crops: what is cut of them)
recipes       knobs that trainings of several methods share          (optimisers)
runtime       device, precision, memory                              (precision, memory, prefetch)
"""

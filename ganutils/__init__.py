"""ganutils: what the notebooks of the GAN course kit share.

One run: `params = variants.get("dcgan").Params(epochs=10)`, `dataset = load_dataset(params)`,
`gan = build(params, dataset)`, `run = RunDir.open(params, dataset)`,
`history = train(gan, dataset, params, run)`. The names are those of `__init__.pyi`; each is loaded on its
first use, because exporting a report needs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""The networks of MoDATTS (the thesis, chapter 5, tables 5.1 and 5.2).

| part of the paper | here |
|---|---|
| E_S, E_T (5.4.1): TransUNet R50-ViT-B/16 | `transunet.TransUNetEncoder`: `transunet.ResNetV2`, `transformer` layers |
| G_S, G_T, G_S^seg, G_T^seg (5.4.1) | `transunet.CupDecoder`, tanh for an image, sigmoid for a mask |
| D_S, D_T; D_P, D_A (table 5.1) | `medsearch.networks.discriminator.MultiScaleDiscriminator`, 2D or 3D |
| E (table 5.2): Medformer | `medformer.MedformerEncoder`, which answers a `networks.latent.Latent` with codes c and u |
| G_seg of the self-supervised variant | `medformer.SegmentationDecoder` |
| G_com, Eq. 5.6 and 5.9 | `medformer.CommonDecoder` |
| G_res and G_seg with shared weights (5.4.2) | `medformer.SharedDecoder`, one network with two modes |
| "w/o dual-use" of the ablation | `medformer.SeparateDecoders` |

`config` holds their sizes and imports no torch. `imagenet.load_imagenet` starts an encoder from ImageNet-21k.

Departures from the paper's tables, after the released code: discriminators have four stride-2 convolutions of kernel 3,
not a stride-1 one and kernel 4; slices are 256 wide, not 240; Medformer halves its resolution by patch merging, not
by trilinear interpolation; its first attention level has 4 heads, not 2; and the two columns of channels in
table 5.2 belong under each other's headings.

At paper scale every network has as many parameters as the released one (tests/methods/modatts/networks/test_sizes.py):
generators of the translation 225.419M, its discriminators 8.186M; self-supervised segmentor 39.677M; semi-supervised
encoder 14.879M and all 21.491M (24.790M with separate decoders), its discriminators 24.522M. Each Medformer decoder
includes weights that reach no output (26 624 of them in the self-supervised one), frozen here. No reading of table
5.2 gives the paper's "8M" for the semi-supervised segmentor.
"""

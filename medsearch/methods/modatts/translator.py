"""The translation stage's networks, and one pass of slices through both cycles (section 5.4.1, Fig. 5.2)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from medsearch.methods.modatts.networks.transunet import CupDecoder, TransUNetEncoder
from medsearch.methods.modatts.recipe import TranslationRecipe
from medsearch.training.adversarial import emphasis
from medsearch.training.prefetch import TensorBatch

Slice = Float[Tensor, "batch 1 height width"]


@dataclass(frozen=True)
class SliceBatch(TensorBatch):
    """Slices of both contrasts; `y_s` are the masks that Eq. 5.3 counts, of the first slices of `x_s`."""

    x_s: Slice
    x_t: Slice
    y_s: Float[Tensor, "counted 1 height width"]
    emphasis: float = 1.0
    """Of the Dice, where this is a part of a batch that has not its share of the masks."""

    def __getitem__(self, part: slice) -> "SliceBatch":
        """The slices of `part`; their Dice weighs as their masks do in the whole batch."""
        x_s, y_s = self.x_s[part], self.y_s[part]
        weight = emphasis(len(y_s), len(self.y_s), share=len(x_s) / len(self))
        return SliceBatch(x_s, self.x_t[part], y_s, weight)


@dataclass(frozen=True)
class Translated:
    """X_S' is x_st, X_S'' is x_sts, X_T' is x_ts, X_T'' is x_tst; ŷ_s and ŷ_st are Ŷ_S and Ŷ_S', if asked for."""

    x_st: Slice
    x_sts: Slice
    x_ts: Slice
    x_tst: Slice
    y_hat_s: Slice | None = None
    y_hat_st: Slice | None = None


class Translator(nn.Module):
    """Encoders E_S, E_T; translation decoders G_S, G_T; segmentation decoders G_seg^S, G_seg^T."""

    def __init__(self, recipe: TranslationRecipe) -> None:
        super().__init__()
        self.encode_s = TransUNetEncoder(recipe.network)
        self.encode_t = TransUNetEncoder(recipe.network)
        self.to_s = CupDecoder(recipe.network, "image")
        self.to_t = CupDecoder(recipe.network, "image")
        self.segment_s = CupDecoder(recipe.network, "mask")
        self.segment_t = CupDecoder(recipe.network, "mask")

    def forward(self, x_s: Slice, x_t: Slice, *, segmenting: bool = True) -> Translated:
        """Both cycles and, when `segmenting`, the two segmentations of the source."""
        f_s, f_t = self.encode_s(x_s), self.encode_t(x_t)
        x_st, x_ts = self.to_t(f_s), self.to_s(f_t)
        f_st, f_ts = self.encode_t(x_st), self.encode_s(x_ts)
        x_sts, x_tst = self.to_s(f_st), self.to_t(f_ts)
        outputs = (x_st, x_sts, x_ts, x_tst, *((self.segment_s(f_s), self.segment_t(f_st)) if segmenting else ()))
        return Translated(*(x.float() for x in outputs))

    def translate(self, x_s: Slice) -> Slice:
        """X_S' = G_T ∘ E_S(X_S), in fp32."""
        x_st: Tensor = self.to_t(self.encode_s(x_s))
        return x_st.float()

    def segment(self, x_s: Slice) -> tuple[Slice, Slice]:
        """Ŷ_S = G_seg^S ∘ E_S(X_S) and Ŷ_S' = G_seg^T ∘ E_T(X_S')."""
        f_s = self.encode_s(x_s)
        y_hat_s, y_hat_st = self.segment_s(f_s), self.segment_t(self.encode_t(self.to_t(f_s)))
        return y_hat_s.float(), y_hat_st.float()

"""Titles of the pictures that stages store, by file name."""

TITLES = {
    "translations": "Translations",
    "residuals": "Residuals",
    "predictions": "Predicted over true masks",
    "self_training": "Before and after self-training",
    "attention": "Attention of the most confident heads",
    "attention_translation": "Attention of the most confident heads, translation",
    "attention_segmentation": "Attention of the most confident heads, segmentation",
}
"""In the order of a page; others follow under their own names."""


def title_of(stem: str) -> str:
    """The title of a picture's file."""
    return TITLES.get(stem, stem)


def place_of(title: str) -> int:
    """Where pictures of that title come on a page."""
    titles = list(TITLES.values())
    return titles.index(title) if title in titles else len(titles)

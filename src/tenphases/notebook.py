"""What a page needs of the notebook that it runs in."""

import sys

MIME_PREFIX = "application/papermill.record/"


def glue(name: str, value: object) -> None:
    """Publish a value under a name, for ``{glue:text}`` in the page's prose.

    A number may be an int, a float or a tensor of one element. The output is
    invisible in a notebook, and nothing happens outside one. The format is that
    of MyST-NB's own ``glue``, which readers need not install.
    """
    if "IPython" not in sys.modules or sys.modules["IPython"].get_ipython() is None:
        return
    from IPython.display import display

    if hasattr(value, "item"):
        value = value.item()
    record = {"name": name, "mime_prefix": MIME_PREFIX}
    # the repr of a string too: {glue:text} evaluates the text as a literal, and a
    # bare 10,000 would come out as the tuple (10, 0)
    text = {MIME_PREFIX + "text/plain": repr(value)}
    display(text, raw=True, metadata={"scrapbook": record})

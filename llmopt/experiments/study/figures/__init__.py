"""The pictures of a study, as SVG that follows the page's colours."""

from .cause_map import cause_bars, cause_map
from .climb import climb_picture
from .histograms import histogram
from .trade_off import Trade, trade_off_picture

__all__ = ["Trade", "cause_bars", "cause_map", "climb_picture", "histogram", "trade_off_picture"]

"""How wide text is: the advance widths of Libertinus Serif, as numbers, so that a box is made for what stands in it.

The font comes with typst, so the PDF is exact. A browser may show another one; the drawing tells it the measured width
(``textLength``), so that no font makes text leave its box. The same table says which characters the PDF can show.
Measured with typst at 1,000 units to the em; a test measures again.
"""

from __future__ import annotations

import unicodedata

FONT = "Libertinus Serif"
EM = 1000
"""Units to the em."""

# fmt: off
RUNS: dict[int, tuple[int, ...]] = {
    0x0020: (
        250, 288, 336, 465, 465, 637, 705, 190, 298, 298, 369, 550, 220, 338, 220, 323, 465, 465, 465, 465,
        465, 465, 465, 465, 465, 465, 236, 236, 550, 550, 550, 435, 895, 695, 588, 646, 701, 557, 485, 685,
        730, 297, 322, 637, 528, 839, 699, 702, 541, 702, 587, 485, 597, 661, 652, 951, 660, 575, 604, 356,
        287, 356, 518, 486, 392, 457, 493, 428, 506, 447, 310, 500, 538, 271, 272, 512, 264, 790, 542, 504,
        519, 503, 372, 390, 316, 531, 497, 747, 490, 515, 424, 277, 205, 277, 449,
    ),
    0x00A1: (
        288, 465, 465, 465, 465, 211, 473, 379, 695, 307, 543, 599,
    ),
    0x00AE: (
        695, 397, 267, 550, 307, 307, 341, 515, 602, 250, 541, 307, 349, 543, 660, 660, 660, 435, 695, 695,
        695, 695, 695, 695, 865, 646, 557, 557, 557, 557, 297, 297, 297, 297, 701, 699, 702, 702, 702, 702,
        702, 550, 702, 661, 661, 661, 661, 575, 527, 541, 457, 457, 457, 457, 457, 457, 687, 428, 447, 447,
        447, 447, 271, 271, 271, 271, 486, 542, 504, 504, 504, 504, 504, 550, 504, 531, 531, 531, 531, 515,
        502, 515, 695, 457, 695, 457, 695, 457, 646, 428, 646, 428, 646, 428, 646, 428, 701, 528, 701, 506,
        557, 447, 557, 447, 557, 447, 557, 447, 557, 447, 685, 500, 685, 500, 685, 500, 685, 500, 730, 538,
        730, 538, 297, 271, 297, 271, 297, 271, 297, 271, 297, 271, 598, 542, 322, 272, 637, 512, 519, 528,
        264, 528, 264, 528, 290, 528, 264, 528, 264, 699, 542, 699, 542, 699, 542, 542, 668, 528, 702, 504,
        702, 504, 702, 504, 869, 778, 587, 372, 587, 372, 587, 372, 485, 390, 485, 390, 485, 390, 485, 390,
        597, 316, 597, 374, 597, 316, 661, 531, 661, 531, 661, 531, 661, 531, 661, 531, 661, 531, 951, 747,
        575, 515, 575, 604, 424, 604, 424, 604, 424, 291,
    ),
    0x0374: (
        222, 192,
    ),
    0x037A: (
        331, 446, 445, 446, 236,
    ),
    0x0384: (
        219, 368, 695, 253, 657, 795, 376,
    ),
    0x038C: (721,),
    0x038E: (
        687, 715, 281, 695, 588, 497, 636, 557, 604, 730, 702, 297, 637, 658, 839, 699, 648, 702, 667, 541,
    ),
    0x03A3: (
        574, 597, 575, 643, 660, 679, 697, 297, 575, 566, 397, 528, 281, 490, 566, 517, 505, 491, 397, 441,
        528, 489, 281, 506, 531, 490, 474, 426, 504, 566, 525, 441, 570, 441, 490, 589, 505, 628, 658, 281,
        490, 504, 490, 658,
    ),
    0x03D0: (
        509, 547, 552, 654, 552, 579, 692, 498, 702, 504, 509, 410, 498, 444, 537, 537, 802, 495,
    ),
    0x03F0: (
        498, 473, 445, 259, 702, 421, 421,
    ),
    0x03F8: (
        533, 599,
    ),
    0x03FB: (593,),
    0x03FD: (
        599, 599, 599, 557, 557, 724, 497, 620, 485, 297, 297, 384, 889, 923, 755, 606, 710, 590, 700, 695,
        583, 588, 497, 659, 557, 889, 558, 710, 710, 606, 633, 839, 730, 702, 667, 541, 646, 597, 590, 674,
        660, 674, 650, 969, 974, 723, 798, 559, 622, 905, 580, 457, 489, 479, 416, 538, 447, 706, 436, 586,
        586, 502, 527, 680, 586, 504, 586, 519, 428, 445, 515, 657, 490, 577, 539, 849, 849, 565, 724, 465,
        454, 731, 481, 447, 447, 553, 416, 440, 390, 271, 271, 272, 678, 745, 557, 502, 586, 515, 570,
    ),
    0x2010: (
        338, 338, 438, 548, 742, 922, 278, 486, 268, 268, 268, 268, 375, 375, 375, 373, 588, 588, 351, 375,
    ),
    0x2026: (749,),
    0x2030: (
        911, 1201, 249, 381, 509, 244, 366, 500,
    ),
    0x2039: (
        363, 363,
    ),
    0x203C: (
        472, 446, 423,
    ),
    0x2047: (
        811, 675, 637,
    ),
    0x204B: (602,),
    0x20A2: (
        465, 465, 465,
    ),
    0x20A7: (
        930, 785,
    ),
    0x20AB: (
        506, 465,
    ),
    0x20AF: (1062,),
    0x20B1: (465,),
    0x20B9: (464,),
    0x2102: (646,),
    0x2105: (755,),
    0x210D: (
        819, 539, 539,
    ),
    0x2115: (
        824, 925,
    ),
    0x2119: (
        588, 702,
    ),
    0x211D: (618,),
    0x2122: (795,),
    0x2124: (730,),
    0x2126: (697,),
    0x212A: (
        637, 695,
    ),
    0x212E: (513,),
    0x2190: (
        1130, 441, 1130, 462, 1098, 463, 838, 841, 838, 841, 1130, 1130,
    ),
    0x21A6: (1130,),
    0x21A8: (463,),
    0x21AE: (1098,),
    0x21BC: (
        1087, 1087,
    ),
    0x21C0: (
        1087, 1087,
    ),
    0x21CB: (
        1087, 1087, 1074, 1243, 1074, 1074, 462, 1074, 462, 1248, 463, 862, 866, 862, 866,
    ),
}
# fmt: on
"""Widths by the code point of the first character of a run of neighbours."""

WIDTHS = {chr(first + index): width for first, run in RUNS.items() for index, width in enumerate(run)}
"""Width by character."""


def width(text: str, size: float) -> float:
    """How wide a line is.

    Args:
        text: printable characters.
        size: font size; the result has its unit.
    """
    return sum(WIDTHS.get(char) or _other(char) for char in text) * size / EM


def elide(text: str, size: float, room: float) -> str:
    """The text, or its two ends with ``…`` in the middle, so that it is no wider than the room.

    The end of a name tells more than its start (``…/part-0001.jsonl``), so it gets the larger part.
    """
    if width(text, size) <= room:
        return text
    left = room - width("…", size)
    if left <= 0:
        return ""
    tail = _fitting(text[::-1], size, left * 0.6)[::-1]
    head = _fitting(text, size, left - width(tail, size))
    return f"{head}…{tail}"


def _fitting(text: str, size: float, room: float) -> str:
    used = 0.0
    for index, char in enumerate(text):
        used += width(char, size)
        if used > room:
            return text[:index]
    return text


def _other(char: str) -> int:
    """A character that the font lacks: some other font shows it, in an em where it is wide."""
    if unicodedata.combining(char):
        return 0
    return EM if unicodedata.east_asian_width(char) in ("W", "F") else 750

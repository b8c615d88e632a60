"""Text that looks like what people train on: articles, reviews, questions and answers, chats. Made, not collected.

Two corpora of different seeds share words, names, common phrases, whole boilerplate sentences and templates, as real ones
do, and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Callable

_ONSETS = [
    "b",
    "bl",
    "br",
    "c",
    "ch",
    "cl",
    "cr",
    "d",
    "dr",
    "f",
    "fl",
    "fr",
    "g",
    "gl",
    "gr",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "pr",
    "qu",
    "r",
    "s",
    "sc",
    "sh",
    "sl",
    "sp",
    "st",
    "str",
    "t",
    "th",
    "tr",
    "v",
    "w",
]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oa", "oo", "ou"]
_CODAS = [
    "",
    "",
    "",
    "b",
    "ck",
    "d",
    "ft",
    "g",
    "l",
    "lt",
    "m",
    "n",
    "nd",
    "ng",
    "nt",
    "p",
    "r",
    "rd",
    "rn",
    "s",
    "st",
    "t",
    "x",
]
_ENDINGS = {
    "noun": ["", "", "", "tion", "ment", "er", "ity", "ness", "ism"],
    "verb": ["", "", "ise", "ate", "en", "ify"],
    "adjective": ["", "al", "ous", "ive", "ful", "ic", "able"],
    "adverb": ["ly", "wise", "ally"],
}
_FIRST = [
    "Anna",
    "Ben",
    "Carla",
    "David",
    "Elena",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Katya",
    "Liam",
    "Mei",
    "Nadia",
    "Oscar",
    "Priya",
    "Quentin",
    "Rosa",
    "Sami",
    "Tara",
]
_PHRASES = (
    "it is important to note that", "at the end of the day", "on the other hand", "as a result of this",
    "in the context of", "there are several reasons why", "one of the most important", "for the first time in",
    "according to a recent study", "in addition to that", "as far as we know", "it should be noted that",
    "the fact of the matter is that", "when it comes to", "in other words", "from this point of view",
)  # fmt: skip
BOILERPLATE = (
    "As an AI language model, I do not have personal opinions, but I can offer some general information.",
    "Please let me know if you have any further questions, and I will be happy to help.",
    "All rights reserved. No part of this text may be reproduced without the written permission of the publisher.",
    "This article was first published on our website and has been updated to reflect recent developments.",
    "I'm sorry for the inconvenience this has caused, and I appreciate your patience in this matter.",
    "Sign up for our newsletter to receive the latest stories directly in your inbox every morning.",
)
"""Sentences that stand in records of every corpus."""
TEMPLATE = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{question}\n\n### Response:\n{answer}"
)


class Corpus:
    """A stream of records.

    Args:
        seed: of this corpus. The language (words and their frequencies) is the same for every seed.
    """

    def __init__(self, seed: int) -> None:
        language = random.Random(2023)
        self.words = {kind: _vocabulary(language, kind) for kind in _ENDINGS}
        self.surnames = [_word(language, "noun").capitalize() for _ in range(2000)]
        self.random = random.Random(seed)

    def record(self) -> str:
        """One record, about 500 characters, 80 to 3,000."""
        kinds: tuple[tuple[Callable[[], str], int], ...] = (
            (self._article, 4), (self._review, 2), (self._answer, 3), (self._chat, 2), (self._templated, 1),
        )  # fmt: skip
        makers, weights = zip(*kinds, strict=True)
        made: str = self.random.choices(makers, weights)[0]()
        return made

    def records(self, count: int) -> list[str]:
        """Some records."""
        return [self.record() for _ in range(count)]

    def name(self) -> str:
        """First name and surname."""
        return f"{self.random.choice(_FIRST)} {self.random.choice(self.surnames)}"

    def _some(self, kind: str) -> str:
        words = self.words[kind]
        return words[min(int(len(words) * self.random.random() ** 2.5), len(words) - 1)]

    def _noun(self) -> str:
        noun = self._some("noun")
        return f"{self._some('adjective')} {noun}" if self.random.random() < 0.5 else noun

    def sentence(self) -> str:
        """One sentence."""
        draw = self.random.random
        parts = [
            self.name() if draw() < 0.15 else f"{self.random.choice(('the', 'a', 'every', 'this', 'our'))} {self._noun()}",
            self._some("adverb") if draw() < 0.3 else "",
            self.random.choice(("will", "would", "has to", "did", "can", "could")) if draw() < 0.5 else "",
            self._some("verb"),
            f"{self.random.choice(('the', 'a', 'its', 'some'))} {self._noun()}",
            f"{self.random.choice(('of', 'in', 'with', 'for', 'near', 'after'))} the {self._noun()}" if draw() < 0.7 else "",
            f"in {self.random.randint(1900, 2023)}" if draw() < 0.15 else "",
            f", {self.random.choice(('because', 'while', 'although', 'and'))} the {self._noun()} {self._some('verb')} "
            f"{self._noun()}" if draw() < 0.4 else "",
        ]  # fmt: skip
        if draw() < 0.12:
            parts.insert(0, self.random.choice(_PHRASES))
        if draw() < 0.1:
            parts.append(f"for ${self.random.randint(2, 99)},{self.random.randint(100, 999)}")
        text = " ".join(part for part in parts if part).replace(" ,", ",")
        return text[0].upper() + text[1:] + self.random.choice((".", ".", ".", "!", "?"))

    def _sentences(self, low: int, high: int) -> str:
        said = [self.sentence() for _ in range(self.random.randint(low, high))]
        if self.random.random() < 0.1:
            said.insert(self.random.randint(0, len(said)), self.random.choice(BOILERPLATE))
        return " ".join(said)

    def _article(self) -> str:
        return "\n\n".join(self._sentences(3, 6) for _ in range(self.random.choice((1, 1, 1, 2, 3))))

    def _review(self) -> str:
        return f"{self._sentences(2, 4)} {self.random.randint(1, 5)}/5 stars, {self.name()}"

    def _answer(self) -> str:
        return f"Question: {self._question()}\nAnswer: {self._sentences(3, 7)}"

    def _question(self) -> str:
        start = self.random.choice(("How does", "Why would", "What happens when", "Can you explain why"))
        return f"{start} the {self._noun()} {self._some('verb')} the {self._noun()}?"

    def _chat(self) -> str:
        turns = []
        for _ in range(self.random.randint(1, 3)):
            turns += [f"User: {self.sentence()}", f"Assistant: {self._sentences(1, 3)}"]
        return "\n".join(turns)

    def _templated(self) -> str:
        return TEMPLATE.format(question=self._question(), answer=self._sentences(2, 5))


def _word(language: random.Random, kind: str) -> str:
    syllables = language.choices((1, 2, 3), (3, 5, 2))[0]
    stem = "".join(
        language.choice(_ONSETS)
        + language.choice(_VOWELS)
        + (language.choice(_CODAS) if language.random() < 0.6 else "")
        for _ in range(syllables)
    )
    return stem + language.choice(_ENDINGS[kind])


def _vocabulary(language: random.Random, kind: str) -> list[str]:
    sizes = {"noun": 12000, "verb": 5000, "adjective": 6000, "adverb": 1500}
    return list(dict.fromkeys(_word(language, kind) for _ in range(sizes[kind])))

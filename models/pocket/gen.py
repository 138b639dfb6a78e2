"""One random stream for one example, and the values and wordings that its split may use.

train   names, values and wordings from the training part
held    the same wordings with values that no training example uses
unseen  such values in wordings and layouts that training never shows
"""
import random
import re
import zlib

from pools import *

ALTERNATIVES = re.compile(r"<([^<>]*\|[^<>]*)>")
ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Gen:
    def __init__(self, seed, split):
        self.r, self.split = random.Random(f"{split}/{seed}"), split

    # ------------------------------------------------------------ choices
    def p(self, chance):
        return self.r.random() < chance

    def any(self, choices):
        """From a closed set that all splits share (currencies, separators)."""
        return choices[self.r.randrange(len(choices))]

    def value(self, pool):
        """A surface value; every fifth is only for held and unseen."""
        held = self.split != "train"
        return self.any([x for i, x in enumerate(pool) if (i % 5 == 4) == held])

    def shape(self, templates):
        """A wording or a layout; every fifth (of a short list the last) is only for unseen."""
        k = min(5, len(templates))
        unseen = self.split == "unseen"
        return self.any([x for i, x in enumerate(templates) if (i % k == k - 1) == unseen])

    def vary(self, text):
        """`<a|b|>`: one of the alternatives, innermost first."""
        while "<" in text and ALTERNATIVES.search(text):
            text = ALTERNATIVES.sub(lambda m: self.any(m[1].split("|")), text)
        return text

    def say(self, templates, **slots):
        return self.vary(self.shape(templates)).format(**slots)

    # ------------------------------------------------------------ words and names
    def mine(self, text):
        """A fifth of all composed strings is held out."""
        return (zlib.crc32(text.encode()) % 5 == 0) == (self.split != "train")

    def syllables(self):
        while True:
            word = "".join(
                self.any(ONSET) + self.any(VOWEL) + (self.any(CODA) if self.p(0.55) else "")
                for _ in range(self.r.choice((1, 2, 2, 2, 3)))
            )
            if len(word) > 2 and self.mine(word):
                return word.capitalize()

    def term(self, pool):
        """A lower-case word to be copied. Half come from an open vocabulary: with pools alone the model learns the
        pool by heart instead of learning to copy."""
        return self.syllables().lower() if self.p(0.5) else self.value(pool)

    def word(self):
        return self.syllables() if self.p(0.5) else self.value(WORDS)

    def first(self):
        return self.value(FIRST) if self.p(0.7) else self.syllables()

    def person(self):
        return f"{self.first()} {self.value(LAST) if self.p(0.5) else self.syllables()}"

    def place(self):
        if self.p(0.6):
            return self.value(PLACES)
        return self.syllables() + self.any(["burg", "ton", "ville", " Falls", "stad", "field", " Bay"])

    def product(self):
        return self.value(PRODUCTS) if self.p(0.6) else self.syllables()

    def company(self):
        while True:
            name = self.word()
            if self.p(0.55):
                name += " " + (self.any(TRADE) if self.p(0.6) else self.word())
            if self.p(0.08):
                name = f"{self.word()} & {self.word()}"
            if self.p(0.05):
                name = f"{name[:1]}{self.any('ABDFGKMRST')}{self.any('BCDKLNPST')} {self.any(TRADE)}"
            if self.p(0.75):
                name += " " + self.any(SUFFIX)
            if self.p(0.06):
                name = name.upper()
            if self.mine(name):
                return name

    def mail(self):
        return f"{self.first().lower()}@{self.word().lower()}.{self.any(['com', 'org', 'net', 'eu', 'example'])}"

    # ------------------------------------------------------------ numbers and ids
    def int(self, low, high):
        return self.r.randint(low, high)

    def digits(self, n):
        return "".join(self.any("0123456789") for _ in range(n))

    def hex(self, n):
        return "".join(self.any("0123456789abcdef") for _ in range(n))

    def document_id(self):
        return "doc_" + self.hex(12)

    def call_id(self):
        return "".join(self.any(ALNUM) for _ in range(9))

    def document_number(self):
        prefix = self.any("INV RE R PO BE SO RG F FAC Q B DOC S X".split())
        if self.p(0.4):
            prefix = "".join(self.any("ABCDEFGHKLMNPRSTUVWXZ") for _ in range(self.int(1, 3)))
        year, n = self.int(2018, 2027), self.digits(self.int(3, 7))
        return self.any([
            f"{prefix}-{year}-{n}", f"{prefix}-{n}", f"{prefix}{n}", f"{year}-{n}", n, f"{prefix}/{year}/{n}",
            f"{year}/{n}", f"{prefix}-{n}-{self.digits(2)}", f"{prefix}.{n}",
        ])

    def date(self):
        return self.int(2018, 2027), self.int(1, 12), self.int(1, 28)

    def day(self):
        return f"{self.any(MONTHS)} {self.int(1, 28)}"

    def clock(self):
        return f"{self.int(0, 23):02d}:{self.int(0, 59):02d}"

    def money(self):
        return f"{self.any('€$£')}{self.int(2, 950)}{self.any([',000', 'k', ' million', ',500', ''])}"

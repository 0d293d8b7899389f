#!/usr/bin/env python3
"""Golden scores of translations, from sacreBLEU.

    pip install sacrebleu==2.6.0
    python3 tests/golden/scores.py

writes scores.jsonl beside itself. Its first line has, for each of three systems' translations of FLORES dev, what
sacreBLEU answers: by metric the score, mean and half width of the confidence interval, and p against the first system.
The second line has the same for lines 101 to 130, where the first two systems differ little. Each further line is a
small corpus of odd or random text with its scores:

    {"segments": [[hypothesis, reference], ...], "tokens": [hypotheses as tokenizer 13a splits them], "scores": [...]}

The order of metrics is BLEU, chrF2, chrF2++ everywhere.
"""
import json, pathlib, random

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"
SYSTEMS = ["google", "microsoft", "bergamot-tiny"]
METRICS = {"BLEU": BLEU(), "chrF2": CHRF(), "chrF2++": CHRF(word_order=2)}

ODD = [
    [["The cat sat on the mat.", "The cat sat on the mat."]],
    [["", "The cat sat on the mat."], ["A dog barked at him loudly.", "A dog barked at him."]],
    [["The cat sat on the mat.", ""], ["A dog barked at him.", "A dog barked at him loudly."]],
    [["", ""], ["A dog barked at him.", "A dog barked at him loudly."]],
    [["", ""]],
    [["no", "yes"]],
    [["yes", "yes"]],
    [["It is so", "It is so"]],
    [["It is so!", "It is so!"]],
    [["a b c d", "a x c y"]],
    [["a b c d e f g h", "a b x c d y e f g"]],
    [["one two three four five", "five four three two one"]],
    [["the the the the the the", "the cat and the dog"]],
    [["... !!! ??? ;:", "... !!! ??? ;:"], ["--- ((())) [] {}", "--- (()) [ ] {}"]],
    [["In 1,234.56 or 3.5, 7,8. 9.a a.9 a,b 1-2 x-3 4-x.", "In 1,234.56 or 3.5 , 7,8 . 9. a a. 9 a , b 1 -2 x- 3 4 -x ."]],
    [["He paid $5.00, i.e. 4,99€ (-3 %).", "He paid $ 5.00 , i. e. 4,99 € ( -3% ) ."]],
    [["“Quoted” ‘words’, it’s said… “so” — ok?", "\"Quoted\" 'words', it's said... \"so\" - ok?"]],
    [["&quot;A &amp; B&quot; &lt;b&gt; &amp;quot; &amp;lt; &apos;", "\"A & B\" <b> &quot; < '"]],
    [["a <skipped> b-\nc\nd <skipped-\n>", "a b c d <skipped>"]],
    [["\ta\u00a0b\u2003c\u3000d\u200be f\u001cg\u001fh\u0085i\u2028j ", "a b c d e f g h i j"]],
    [["Trailing   spaces and a tab\t \r", "Trailing spaces and a tab"], [" \u2028 ", "\r"]],
    [["(hi) 'tis (so), «yes». don't! ¡no! !", "( hi ) 't is ( so ) , « yes » . do n't ! ¡ no ! !"]],
    [["خبر ۱۲٫۵ درصد، «بله».", "خبر ۱۲٫۵ درصد ، « بله » ."]],
    [["中文没有空格。", "中文 没有 空格 。"], ["e\u0301 \u00e9 😂👩‍👩‍👧🇮🇷", "\u00e9 e\u0301 😂 👩‍👩‍👧 🇮🇷"]],
    [["A short one that is cut", "A short one that is cut off long before the sentence has come to its end"]],
]  # fmt: skip

PIECES = ["the", "cat", "Cat", "of", "a", "1", "23", "4.5", "é", "’", "“", "”", "…", "😂", "中", "خبر", "&quot;", "&amp;", "&lt;", "&gt;", "&", "<skipped>", "-\n", "\n", *".,-'()[]{}/\\:;!?$%*+=@^_`|~\"#<>",
          ".", ",", "-", " ", " ", " ", " ", " ", "\t", "\r", "\u00a0", "\u001c", "\u001f", "\u0085", "\u200b", "\u200c", "\u2009", "\u2028", "\u3000", "\ufeff"]  # fmt: skip


def random_corpus(random):
    """Segments whose two sides differ by a few pieces."""
    def segment():
        reference = [random.choice(PIECES) for _ in range(random.randint(0, 30))]
        hypothesis = [random.choice(PIECES) if random.random() < 0.15 else piece for piece in reference]
        keep = random.choice([1.0, 1.0, 0.9, 0.5])
        return ["".join(piece for piece in hypothesis if random.random() < keep), "".join(reference)]

    return [segment() for _ in range(random.randint(1, 4))]


def small(segments):
    hypotheses, references = [list(side) for side in zip(*segments)]
    tokenize = Tokenizer13a()
    scores = [metric.corpus_score(hypotheses, [references]).score for metric in METRICS.values()]
    return {"segments": segments, "tokens": [tokenize(text.rstrip()) for text in hypotheses], "scores": scores}


def systems(start, end):
    read = lambda name: (DATA / name).read_text(encoding="utf-8").split("\n")[start:end]
    named = [(name, read(f"flores-dev.{name}.en")) for name in SYSTEMS]
    _, results = PairedTest(named, METRICS, [read("flores-dev.en")], test_type="bs")()
    row = lambda result: {"score": result.score, "mean": result.mean, "half_width": float(result.ci), "p_value": result.p_value}
    return {name: [row(results[metric][at]) for metric in METRICS] for at, (name, _) in enumerate(named)}


seeded = random.Random(0)
lines = [systems(0, 997), systems(100, 130), *map(small, ODD + [random_corpus(seeded) for _ in range(300)])]
text = "".join(json.dumps(line, ensure_ascii=False, default=float, separators=(",", ":")) + "\n" for line in lines)
(HERE / "scores.jsonl").write_text(text, encoding="utf-8")

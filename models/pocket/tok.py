"""The tokenizer: SentencePiece BPE with byte fallback, Mistral v3 control tokens, digits one by one.

    python tok.py          # trains tokenizer.model anew from generated text (the shipped one is kept on purpose)

Each piece of text after a control token gets a space in front (add_dummy_prefix), as in the Mistral files.
Two tricks make copying easy for a tiny model, because a value is then cut into the same pieces wherever it stands:
  * no piece joins a space with a capital letter, digit or symbol, so ' Acme', '"Acme' and '\\nAcme' share their pieces;
  * '\\n' and '\\t' of JSON strings are one piece that merges before anything else, so '\\nAcme' does too.
Both live in the vocabulary and its scores alone: any SentencePiece-BPE ("llama") tokenizer reproduces them.
"""
import io
import re
from pathlib import Path

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb

CONTROL = [
    "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
]
SPLIT = re.compile("(" + "|".join(map(re.escape, ["<s>", "</s>"] + CONTROL)) + ")")
FIRST_MERGES = ["\\n", "\\t"]
MODEL = Path(__file__).parent / "tokenizer.model"


class Tokenizer:
    def __init__(self, path=MODEL):
        self.sp = spm.SentencePieceProcessor(model_file=str(path))
        self.vocab = self.sp.get_piece_size()
        self.control = {t: self.sp.piece_to_id(t) for t in ["<s>", "</s>"] + CONTROL}
        self.names = {i: t for t, i in self.control.items()}
        self.eos = self.control["</s>"]

    def encode(self, text):
        """Control tokens in the text become single ids."""
        out = []
        for part in SPLIT.split(text):
            if part in self.control:
                out.append(self.control[part])
            elif part:
                out += self.sp.encode(part)
        return out

    def encode_segments(self, segments):
        """-> ids and whether each is learnt. The text is cut as a whole: a piece that reaches into a segment that is
        not learnt is not learnt either."""
        text = "".join(t for t, _ in segments)
        learnt = b"".join(bytes([learn]) * len(t.encode()) for t, learn in segments)  # one flag per byte
        ids, mask, at = [], [], 0
        for part in SPLIT.split(text):
            end = at + len(part.encode())
            if part in self.control:
                ids.append(self.control[part])
                mask.append(bool(learnt[at]))
            elif part and len(set(learnt[at:end])) == 1:
                pieces = self.sp.encode(part)
                ids += pieces
                mask += [bool(learnt[at])] * len(pieces)
            elif part:
                for piece in self.sp.encode(part, return_type="proto").pieces:
                    ids.append(piece.id)
                    span = learnt[at + piece.begin:at + max(piece.end, piece.begin + 1)]
                    mask.append(all(span))
            at = end
        return ids, mask

    def decode(self, ids):
        """Text without the space that encoding put after control tokens."""
        out, run = "", []
        for i in [*ids, None]:
            if i is None or i in self.names:
                out += self.sp.decode(run) if run else ""
                out += self.names.get(i, "")
                run = []
            else:
                run.append(i)
        return out


def corpus(examples_per_job):
    from generator import JOBS, example

    for i in range(examples_per_job):
        for job in JOBS:
            for text, _ in example(job, 10_000_000 + i, "train")["segments"]:
                for line in re.split(r"\n|\t|\\n|\\t", SPLIT.sub("\n", text)):
                    yield from (part for part in re.split(r" +(?=[^a-z ])", line) if part)
                    yield " "


def train(path=MODEL, vocab=3072, examples_per_job=6000):
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=corpus(examples_per_job), model_writer=out, model_type="bpe",
        vocab_size=vocab - len(FIRST_MERGES), byte_fallback=True, split_digits=True, character_coverage=1.0,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, control_symbols=CONTROL, max_sentencepiece_length=16, minloglevel=1,
    )
    model = pb.ModelProto()
    model.ParseFromString(out.getvalue())
    for i, piece in enumerate(FIRST_MERGES):
        model.pieces.add(piece=piece, score=2.0 - i, type=pb.ModelProto.SentencePiece.NORMAL)
    model.trainer_spec.vocab_size = len(model.pieces)
    model.normalizer_spec.add_dummy_prefix = True  # only now: training on it would glue spaces to capitals
    Path(path).write_bytes(model.SerializeToString())


if __name__ == "__main__":
    train()

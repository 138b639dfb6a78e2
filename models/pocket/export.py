"""checkpoint.pt + tokenizer.model -> GGUF (architecture "llama", matrices Q8_0, norms F32).

    python export.py ~/.cache/talon-pocket/checkpoint.pt pocket.gguf [--f32]
"""
import argparse
from pathlib import Path

import gguf
import numpy as np
import torch
from sentencepiece import sentencepiece_model_pb2 as pb

from model import Config

HERE = Path(__file__).parent
TENSORS = {
    "attn_norm": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "ffn_norm": "ffn_norm",
    "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}


def add_config(out, c, f32):
    out.add_name("pocket")
    out.add_description("Tiny model for the five agents of Talon; not a general model")
    out.add_license("Apache-2.0")
    out.add_context_length(c.context)
    out.add_embedding_length(c.dim)
    out.add_block_count(c.layers)
    out.add_feed_forward_length(c.ffn)
    out.add_head_count(c.heads)
    out.add_head_count_kv(c.kv_heads)
    out.add_key_length(c.head_dim)
    out.add_value_length(c.head_dim)
    out.add_rope_dimension_count(c.head_dim)
    out.add_rope_freq_base(c.theta)
    out.add_layer_norm_rms_eps(c.eps)
    out.add_vocab_size(c.vocab)
    out.add_file_type(gguf.LlamaFileType.ALL_F32 if f32 else gguf.LlamaFileType.MOSTLY_Q8_0)
    out.add_quantization_version(gguf.GGML_QUANT_VERSION)


def add_tokenizer(out):
    model = pb.ModelProto()
    model.ParseFromString((HERE / "tokenizer.model").read_bytes())
    kinds, types = pb.ModelProto.SentencePiece, gguf.TokenType
    kind = {
        kinds.NORMAL: types.NORMAL, kinds.UNKNOWN: types.UNKNOWN, kinds.CONTROL: types.CONTROL, kinds.BYTE: types.BYTE,
    }
    out.add_tokenizer_model("llama")
    out.add_tokenizer_pre("default")
    out.add_token_list([p.piece.encode() for p in model.pieces])
    out.add_token_scores([p.score for p in model.pieces])
    out.add_token_types([int(kind[p.type]) for p in model.pieces])
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_add_bos_token(True)
    out.add_add_eos_token(False)
    out.add_add_space_prefix(model.normalizer_spec.add_dummy_prefix)
    out.add_chat_template((HERE / "chat_template.jinja").read_text())


def add_tensor(out, name, values, f32):
    if values.ndim == 1 or f32:
        out.add_tensor(name, values.astype(np.float32))
    else:
        kind = gguf.GGMLQuantizationType.Q8_0
        out.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def export(source, target, f32=False):
    saved = torch.load(source, map_location="cpu")
    config = Config(**saved["config"])
    weights = {name: w.float().numpy() for name, w in saved["average"].items()}
    out = gguf.GGUFWriter(target, "llama")
    add_config(out, config, f32)
    add_tokenizer(out)
    add_tensor(out, "token_embd.weight", weights["embed.weight"], f32)  # tied: there is no output.weight
    add_tensor(out, "output_norm.weight", weights["norm.weight"], f32)
    for i in range(config.layers):
        for ours, theirs in TENSORS.items():
            add_tensor(out, f"blk.{i}.{theirs}.weight", weights[f"blocks.{i}.{ours}.weight"], f32)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("source")
    arguments.add_argument("target")
    arguments.add_argument("--f32", action="store_true")
    a = arguments.parse_args()
    export(a.source, a.target, a.f32)

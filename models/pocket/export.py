"""model.pt + tokenizer.model -> GGUF (architecture "llama", matrices Q8_0, norms F32).

    python export.py model.pt pocket.gguf [--f32]
"""
import sys
import numpy as np, torch, gguf
from sentencepiece import sentencepiece_model_pb2 as pb
from model import Config


def main(src, dst, f32=False):
    ck = torch.load(src, map_location="cpu")
    c, w = Config(**ck["config"]), {k.replace("._orig_mod", ""): v.float().numpy() for k, v in ck["model"].items()}
    g = gguf.GGUFWriter(dst, "llama")
    g.add_name("pocket"); g.add_description("Synthetic-task agent model: demos and tests only")
    g.add_license("Apache-2.0")
    g.add_context_length(c.context); g.add_embedding_length(c.dim); g.add_block_count(c.layers); g.add_feed_forward_length(c.ffn)
    g.add_head_count(c.heads); g.add_head_count_kv(c.kv_heads); g.add_key_length(c.head_dim); g.add_value_length(c.head_dim)
    g.add_rope_dimension_count(c.head_dim); g.add_rope_freq_base(c.theta); g.add_layer_norm_rms_eps(c.eps); g.add_vocab_size(c.vocab)
    g.add_file_type(gguf.LlamaFileType.ALL_F32 if f32 else gguf.LlamaFileType.MOSTLY_Q8_0)
    g.add_quantization_version(gguf.GGML_QUANT_VERSION)

    m = pb.ModelProto(); m.ParseFromString(open("tokenizer.model", "rb").read())
    T, P = gguf.TokenType, pb.ModelProto.SentencePiece
    kind = {P.NORMAL: T.NORMAL, P.UNKNOWN: T.UNKNOWN, P.CONTROL: T.CONTROL, P.USER_DEFINED: T.USER_DEFINED, P.UNUSED: T.UNUSED, P.BYTE: T.BYTE}
    g.add_tokenizer_model("llama"); g.add_tokenizer_pre("default")
    g.add_token_list([p.piece.encode() for p in m.pieces]); g.add_token_scores([p.score for p in m.pieces]); g.add_token_types([int(kind[p.type]) for p in m.pieces])
    g.add_unk_token_id(0); g.add_bos_token_id(1); g.add_eos_token_id(2)
    g.add_add_bos_token(True); g.add_add_eos_token(False); g.add_add_space_prefix(True)
    g.add_chat_template(open("chat_template.jinja").read())

    def add(name, a):
        if a.ndim == 1 or f32: g.add_tensor(name, a.astype(np.float32))
        else: g.add_tensor(name, gguf.quants.quantize(a, gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    add("token_embd.weight", w["embed.weight"])          # tied: there is no output.weight
    add("output_norm.weight", w["norm.weight"])
    names = {"attn_norm": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "ffn_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}
    for i in range(c.layers):
        for a, b in names.items(): add(f"blk.{i}.{b}.weight", w[f"blocks.{i}.{a}.weight"])
    g.write_header_to_file(); g.write_kv_data_to_file(); g.write_tensors_to_file(); g.close()


if __name__ == "__main__":
    a = [x for x in sys.argv[1:] if not x.startswith("-")]
    main(a[0] if a else "model.pt", a[1] if len(a) > 1 else "pocket.gguf", "--f32" in sys.argv)

"""Writes <folder>/ids.json and awkward.json for each tokenizer here, and pipelines.json: texts and the ids that the
reference gives. The texts of awkward.json are those of awkward_texts.json, which break tokenizers elsewhere.

    pip install tokenizers==0.23.3 transformers==5.23.0 && python corpus.py

The texts are words, spaces and characters of all kinds in random order, with the tokenizer's own special tokens,
whole and cut off, among them. pipelines.json holds small tokenizers of random components, so that components which
none of the folders uses are compared too.
"""
import json
import os
import random

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
WORDS = """the a of and horizon image Yes No don't I'LL we've It's HELLO World ﬁne naïve café résumé Straße ŒUVRE
İstanbul ΣΊΣΥΦΟΣ Привет 日本語 中文 한국어 العربية עברית हिन्दी ไทย 👍🏽 👩‍👩‍👧 🇩🇪 12345 3.14 1,000 foo_bar C++ a.b.c
http://x.y/z?q=1 \\n ½ ² Ⅷ ①""".split()
BLANKS = [" ", "  ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00a0", "\u3000", "\u2028", "\u200b", "\u0085", "\v", "\ufeff",
          "▁", "▁▁", " " * 20, "\n" * 7]
MARKS = [chr(c) for c in list(range(0x300, 0x36F)) + [
    0x591, 0x5B0, 0x64B, 0x651, 0x93C, 0x94D, 0xE38, 0x302A, 0x3099, 0x20DD, 0x1AB0, 0x1DF6, 0xF71, 0x200D, 0xFE0F, 0x1F3FB,
    0x903, 0x600, 0x11930, 0x11935, 0x1D165]]
CONTROLS = [chr(c) for c in list(range(32)) + [127, 0x9F, 0xAD, 0x202E, 0xFFFD, 0xFFFE, 0xFFFF, 0x10FFFF, 0xE000]]
BLOCKS = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0x11FF), (0x1E00, 0x1FFF),
          (0x2000, 0x2BFF), (0x3000, 0x33FF), (0x4E00, 0x9FFF), (0xA640, 0xABFF), (0xAC00, 0xD7FF), (0xF900, 0xFFFF),
          (0x10000, 0x1FFFF), (0x20000, 0x2EE5D), (0x1F300, 0x1FAFF), (0, 0x10FFFF)]
# Unicode 16 added these. Go 1.26, with Unicode 15, doesn't take them for the word characters that they are, so two texts
# are left out of pipelines.json, where components ask for word characters.
NEWER = {"\U000135fe", "\U000138ba"}
ODD = ["'s", "'S", "'ſ", "'LL", "<0x0A>", "<0xE2>", "</w>", "Ġ", "Ã©", "\ufffd"]


def char(rng):
    low, high = rng.choice(BLOCKS)
    while True:
        c = rng.randint(low, high)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def piece(rng, special):
    kind = rng.choices(range(10), [30, 15, 10, 14, 6, 2, 4, 6, 9, 4])[0]
    if kind == 8 and special:
        s = rng.choice(special)
        return s if rng.random() < 0.8 else s[: rng.randint(1, len(s))]
    return [
        lambda: rng.choice(WORDS),
        lambda: rng.choice(BLANKS),
        lambda: " ",
        lambda: "".join(char(rng) for _ in range(rng.randint(1, 6))),
        lambda: rng.choice("aeiouAnſK각가ᄀकあ") + "".join(rng.choice(MARKS) for _ in range(rng.randint(1, 4))),
        lambda: "".join(rng.choice(MARKS) for _ in range(rng.randint(31, 40))),
        lambda: rng.choice(CONTROLS),
        lambda: "".join(rng.choice("aAbB1 -'.\n") for _ in range(rng.randint(1, 12))),
        lambda: rng.choice(WORDS),
        lambda: rng.choice(ODD),
    ][kind]()


def texts(rng, special, count):
    yield ""
    for _ in range(count - 1):
        yield "".join(piece(rng, special) for _ in range(rng.randint(1, 9)))


def entry(tok, text, decode=None):
    ids = tok.encode(text).ids
    bare = tok.encode(text, add_special_tokens=False).ids
    tok.encode_special_tokens = True
    literal = tok.encode(text, add_special_tokens=False).ids
    tok.encode_special_tokens = False
    return {"text": text, "ids": ids, "bare": bare, "literal": literal, "decoded": (decode or tok.decode)(ids)}


def write(name, items):
    with open(os.path.join(HERE, name), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(i, ensure_ascii=False, separators=(",", ":")) for i in items) + "\n]\n")


def folders():
    with open(os.path.join(HERE, "awkward_texts.json")) as f:
        awkward = json.load(f)
    for name in sorted(os.listdir(HERE)):
        folder = os.path.join(HERE, name)
        if os.path.exists(os.path.join(folder, "tokenizer.json")):
            tok, decode = Tokenizer.from_file(os.path.join(folder, "tokenizer.json")), None
        elif os.path.exists(os.path.join(folder, "merges.txt")):
            from transformers import CLIPTokenizer

            clip = CLIPTokenizer.from_pretrained(folder)
            tok, decode = clip.backend_tokenizer, lambda ids: clip.decode(ids, skip_special_tokens=True)
        else:
            continue
        rng = random.Random(name)
        special = sorted(t.content for t in tok.get_added_tokens_decoder().values())
        write(name + "/ids.json", [entry(tok, t, decode) for t in texts(rng, special, 120)])
        write(name + "/awkward.json", [entry(tok, t, decode) for t in dict.fromkeys(awkward)])


REGEXES = [r"\s+", r"\d+|\D", r" {2,}", r"[^\s\p{L}\p{N}]+", r"\p{Lu}\p{Ll}*", r"(?i:ab|s)", r"a(?=b)", r"\s+(?!\S)|\s+",
           r"\w+|[^\w\s]+", r"[aeiou]{1,2}?", r"\p{M}+", r"x*", r"(?:a|b)++c?", r"\n|\p{Z}", r"[^\r\n]+", r".", r"\p{^L}+"]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def pattern(rng):
    if rng.random() < 0.7:
        return {"Regex": rng.choice(REGEXES)}
    return {"String": rng.choice([" ", "a", "ab", "▁", "-", "\n"])}


def normalizer(rng):
    flag = lambda: rng.random() < 0.5
    return rng.choice([
        {"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"}, {"type": "ByteLevel"},
        {"type": "Strip", "strip_left": flag(), "strip_right": flag()},
        {"type": "Prepend", "prepend": rng.choice(["▁", " ", "ab"])},
        {"type": "Replace", "pattern": pattern(rng), "content": rng.choice(["", " ", "▁", "ab"])},
    ])


def pre_tokenizer(rng):
    flag = lambda: rng.random() < 0.5
    split = {"type": "Split", "pattern": pattern(rng), "behavior": rng.choice(BEHAVIORS), "invert": flag()}
    return rng.choice([
        {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": rng.choice(BEHAVIORS)},
        {"type": "Digits", "individual_digits": flag()}, split, split,
        {"type": "ByteLevel", "add_prefix_space": flag(), "trim_offsets": True, "use_regex": flag()},
        {"type": "Metaspace", "replacement": rng.choice("▁_"), "prepend_scheme": rng.choice(["always", "first", "never"]),
         "split": flag()},
    ])


def decoder(rng):
    return rng.choice([
        None, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": rng.choice(["always", "never"]), "split": True},
        {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                          {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    ])


def sequence(rng, make, key):
    parts = [make(rng) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
    return parts[0] if len(parts) == 1 else {"type": "Sequence", key: parts} if parts else None


def model(rng):
    """Bytes, with a suffix that shows where the pre-tokenizers cut, or a small Unigram."""
    if rng.random() < 0.3:
        tokens = ["<unk>"] + sorted(set("abcde a▁b|nsAo1éx") | {"an", "the", "ab", "▁a", "▁the", "or", "izon", "Is", "▁▁", "aa"})
        return {"type": "Unigram", "unk_id": 0, "vocab": [[t, -round(rng.random() * 8, 3)] for t in tokens], "byte_fallback": False}
    tokens = [f"<0x{b:02X}>" for b in range(256) if rng.random() < 0.95]
    return {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": rng.choice([None, "##"]),
            "end_of_word_suffix": "|", "fuse_unk": rng.random() < 0.5, "byte_fallback": True, "ignore_merges": False,
            "vocab": {t: i for i, t in enumerate(["<unk>"] + tokens)}, "merges": []}


def added_tokens(rng, first):
    contents = rng.sample(["<s>", "</s>", "Yes", "<a>", "  ", "\n", "AB", "ﬁ", "is", "<s><s>", "ab c", "日本"], rng.randint(0, 5))
    flag = lambda: rng.random() < 0.3
    out = []
    for content in contents:
        normalized = flag()
        out.append({"id": first + len(out), "content": content, "single_word": flag(), "lstrip": flag(), "rstrip": flag(),
                    "normalized": normalized, "special": flag() and not normalized})
    return out


def pipelines():
    items = []
    for seed in range(50):
        rng = random.Random(seed)
        core = model(rng)
        spec = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "model": core,
                "normalizer": sequence(rng, normalizer, "normalizers"), "post_processor": None, "decoder": decoder(rng),
                "pre_tokenizer": sequence(rng, pre_tokenizer, "pretokenizers")}
        plain = Tokenizer.from_str(json.dumps(spec)).normalizer
        added = added_tokens(rng, len(core["vocab"]))
        shown = [plain.normalize_str(a["content"]) if plain and a["normalized"] else a["content"] for a in added]
        if "" in shown or len(set(shown)) < len(shown):
            continue  # the reference's answer is arbitrary
        spec["added_tokens"] = added
        tok = Tokenizer.from_str(json.dumps(spec))
        items.append({"tokenizer": spec, "strings": [entry(tok, t) for t in texts(rng, [a["content"] for a in added] + ["is "], 12)
                                                    if not NEWER & set(t)]})
    write("pipelines.json", items)


folders()
pipelines()

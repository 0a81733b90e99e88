package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// pieceKind is the role of a sentencepiece.
type pieceKind uint64

const (
	pieceUnknown     pieceKind = 2
	pieceControl     pieceKind = 3
	pieceUserDefined pieceKind = 4
)

// sentencePiece is an entry of a vocabulary; its place is its id.
type sentencePiece struct {
	text  string
	score float64
	kind  pieceKind
}

// sentencePieceModel is what a tokenizer.model or spiece.model says.
type sentencePieceModel struct {
	pieces       []sentencePiece
	isBPE        bool // else Unigram
	byteFallback bool
	unknown      int
	begin, end   int    // ids of <s> and </s>; -1: none
	charmap      []byte // precompiled character map; empty: none
	dummyPrefix  bool   // a text begins with a space that isn't there
}

const (
	maxPieces = 1 << 20
	maxPiece  = 512 // bytes; every way to cut a piece in two is looked up
)

var errProtobuf = errors.New("not a sentencepiece model: cut off, or not a protocol buffer")

// protoField is a field of a protocol buffer: a number, or bytes.
type protoField struct {
	number protowire.Number
	value  uint64
	bytes  []byte
}

// eachField calls f for each field of a message; an unknown one is f's to pass over.
func eachField(raw []byte, f func(protoField) error) error {
	for len(raw) > 0 {
		number, kind, size := protowire.ConsumeTag(raw)
		if size < 0 {
			return errProtobuf
		}
		raw = raw[size:]
		field := protoField{number: number}
		switch kind {
		case protowire.VarintType:
			field.value, size = protowire.ConsumeVarint(raw)
		case protowire.Fixed32Type:
			var bits uint32
			bits, size = protowire.ConsumeFixed32(raw)
			field.value = uint64(bits)
		case protowire.BytesType:
			field.bytes, size = protowire.ConsumeBytes(raw)
		default:
			size = protowire.ConsumeFieldValue(number, kind, raw)
		}
		if size < 0 {
			return errProtobuf
		}
		raw = raw[size:]
		if err := f(field); err != nil {
			return err
		}
	}
	return nil
}

// parseSentencePiece reads a ModelProto of sentencepiece's.
func parseSentencePiece(raw []byte) (*sentencePieceModel, error) {
	m := &sentencePieceModel{unknown: 0, begin: 1, end: 2, dummyPrefix: true} // sentencepiece's defaults
	err := eachField(raw, func(f protoField) error {
		switch f.number {
		case 1:
			return m.parsePiece(f.bytes)
		case 2:
			return m.parseTrainer(f.bytes)
		case 3:
			return m.parseNormalizer(f.bytes)
		}
		return nil
	})
	switch {
	case err != nil:
	case len(m.pieces) == 0:
		err = errProtobuf
	case m.unknown < 0 || m.unknown >= len(m.pieces) || m.begin >= len(m.pieces) || m.end >= len(m.pieces):
		err = fmt.Errorf("ids of special pieces are beyond the %d pieces", len(m.pieces))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return m, nil
}

func (m *sentencePieceModel) parsePiece(raw []byte) error {
	p := sentencePiece{kind: 1}
	err := eachField(raw, func(f protoField) error {
		switch f.number {
		case 1:
			p.text = string(f.bytes)
		case 2:
			p.score = float64(math.Float32frombits(uint32(f.value)))
		case 3:
			p.kind = pieceKind(f.value)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(p.text) > maxPiece || !utf8.ValidString(p.text):
		return fmt.Errorf("piece %d is longer than %d bytes or not UTF-8", len(m.pieces), maxPiece)
	case len(m.pieces) == maxPieces:
		return fmt.Errorf("more than %d pieces", maxPieces)
	}
	m.pieces = append(m.pieces, p)
	return nil
}

// parseTrainer reads what the trainer was told: the kind of model and the special ids.
func (m *sentencePieceModel) parseTrainer(raw []byte) error {
	const unigramModel, bpeModel = 1, 2
	return eachField(raw, func(f protoField) error {
		switch f.number {
		case 3:
			if f.value != unigramModel && f.value != bpeModel {
				return fmt.Errorf("%w: model type %d", ErrUnsupported, f.value)
			}
			m.isBPE = f.value == bpeModel
		case 35:
			m.byteFallback = f.value != 0
		case 40:
			m.unknown = int(int32(f.value))
		case 41:
			m.begin = int(int32(f.value))
		case 42:
			m.end = int(int32(f.value))
		}
		return nil
	})
}

func (m *sentencePieceModel) parseNormalizer(raw []byte) error {
	return eachField(raw, func(f protoField) error {
		switch f.number {
		case 2:
			m.charmap = f.bytes
		case 3:
			m.dummyPrefix = f.value != 0
		}
		return nil
	})
}

// ids returns the vocabulary as a map.
func (m *sentencePieceModel) ids() (map[string]int, error) {
	ids := make(map[string]int, len(m.pieces))
	for id, p := range m.pieces {
		if _, twice := ids[p.text]; twice {
			return nil, fmt.Errorf("%w: piece %.40q is there twice", ErrFormat, p.text)
		}
		ids[p.text] = id
	}
	return ids, nil
}

// bpe makes the model of a BPE vocabulary. Sentencepiece stores no merges: any two pieces that make a third are one,
// the better the score of the third the sooner.
func (m *sentencePieceModel) bpe() (*bpe, error) {
	ids, err := m.ids()
	if err != nil {
		return nil, err
	}
	vocab, err := newVocabulary(ids)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	b := &bpe{vocab: vocab, unknown: m.unknown, fuseUnknown: true, byteFallback: true}
	b.setByteTokens()
	return b, b.setMerges(m.merges(ids))
}

// merges lists the merges in the order of transformers' converter, which official tokenizer.json files went through:
// by falling score, then by falling length of the halves in characters.
func (m *sentencePieceModel) merges(ids map[string]int) [][]string {
	type ranked struct {
		halves      []string
		score       float64
		left, right int // characters in the halves
	}
	var all []ranked
	for _, p := range m.pieces {
		length := utf8.RuneCountInString(p.text)
		count := 0
		for cut := range p.text {
			left, right := p.text[:cut], p.text[cut:]
			_, okLeft := ids[left]
			_, okRight := ids[right]
			if cut > 0 && okLeft && okRight {
				all = append(all, ranked{[]string{left, right}, p.score, count, length - count})
			}
			count++
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.score, a.score), b.left-a.left, b.right-a.right)
	})
	out := make([][]string, len(all))
	for i, r := range all {
		out[i] = r.halves
	}
	return out
}

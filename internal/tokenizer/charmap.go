package tokenizer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// characterMap is sentencepiece's precompiled normalizer: a double-array trie (darts-clone) from strings to their
// replacements.
type characterMap struct {
	units        []uint32
	replacements []byte // ended by 0 each
}

// newCharacterMap reads the form that sentencepiece models carry: the trie's size in bytes, the trie, the replacements.
func newCharacterMap(raw []byte) (*characterMap, error) {
	if len(raw) < 4 {
		return nil, errors.New("character map is cut off")
	}
	size := int(binary.LittleEndian.Uint32(raw))
	if size%4 != 0 || size == 0 || size > len(raw)-4 {
		return nil, errors.New("character map's trie is cut off")
	}
	m := &characterMap{units: make([]uint32, size/4), replacements: raw[4+size:]}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(raw[4+4*i:])
	}
	if !utf8.Valid(m.replacements) {
		return nil, errors.New("character map's replacements are not UTF-8")
	}
	return m, nil
}

// normalize replaces grapheme clusters of up to five bytes, and the characters of longer ones. That a cluster is
// replaced by what its shortest prefix maps to, and the rest of it is lost, is the reference's way: "\r\n" becomes
// one space.
func (m *characterMap) normalize(in piece) (piece, error) {
	const longest = 5
	text := in.text
	var b strings.Builder
	b.Grow(len(text))
	limit := maxGrowth(text)
	var cluster string
	for state := -1; text != ""; {
		if b.Len() > limit {
			return piece{}, errGrowth
		}
		cluster, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		if len(cluster) <= longest {
			if replacement, ok := m.find(cluster); ok {
				b.Write(replacement)
				continue
			}
		}
		for cluster != "" {
			_, size := utf8.DecodeRuneInString(cluster)
			if replacement, ok := m.find(cluster[:size]); ok {
				b.Write(replacement)
			} else {
				b.WriteString(cluster[:size])
			}
			cluster = cluster[size:]
		}
	}
	in.text = b.String()
	return in, nil
}

// find returns the replacement for the shortest prefix of key that has one.
func (m *characterMap) find(key string) ([]byte, bool) {
	node := offset(m.units[0])
	for i := 0; i < len(key) && key[i] != 0; i++ {
		node ^= uint32(key[i])
		if int(node) >= len(m.units) {
			return nil, false
		}
		unit := m.units[node]
		if unit&(1<<31|0xff) != uint32(key[i]) { // the label
			return nil, false
		}
		node ^= offset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if int(node) >= len(m.units) {
			return nil, false
		}
		start := int(m.units[node] &^ (1 << 31))
		if start > len(m.replacements) {
			return nil, false
		}
		replacement, _, _ := bytes.Cut(m.replacements[start:], []byte{0})
		return replacement, utf8.Valid(replacement)
	}
	return nil, false
}

// offset is where a unit's children are, to be combined with its own place by xor.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

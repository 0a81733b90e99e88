package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// header is the parsed and checked JSON of a file.
type header struct {
	tensors  []Info         // in the order of their bytes
	byName   map[string]int // index into tensors
	metadata map[string]string
}

// parseHeader parses the header's JSON and checks it against a data section of
// the given length in bytes.
func parseHeader(text []byte, data int64) (*header, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, invalid("header does not start with '{'")
	}
	if !utf8.Valid(text) {
		// encoding/json would replace the bad bytes and so change names.
		return nil, invalid("header is not UTF-8")
	}
	h := &header{byName: map[string]int{}}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err := object(dec, func(key string) (err error) {
		if key == metadataKey {
			h.metadata, err = readMetadata(dec)
			return err
		}
		info, err := readInfo(dec, key, data)
		if err != nil {
			return inTensor(key, err)
		}
		h.tensors = append(h.tensors, info)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if rest := text[dec.InputOffset():]; len(bytes.Trim(rest, " \t\r\n")) > 0 {
		return nil, invalid("header goes on after its JSON object")
	}
	return h, h.layOut(data)
}

// layOut puts the tensors in the order of their bytes and checks that together
// they cover the data section once.
func (h *header) layOut(data int64) error {
	slices.SortFunc(h.tensors, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End), strings.Compare(a.Name, b.Name))
	})
	var end int64
	for i, t := range h.tensors {
		if t.Begin < end {
			return inTensor(t.Name, invalid("bytes [%d, %d) overlap those of %q", t.Begin, t.End, h.tensors[i-1].Name))
		}
		if t.Begin > end {
			return inTensor(t.Name, invalid("starts at byte %d, which leaves a hole from %d", t.Begin, end))
		}
		end = t.End
		h.byName[t.Name] = i
	}
	if end != data {
		return invalid("tensors end at byte %d of a data section of %d bytes", end, data)
	}
	return nil
}

// readInfo reads the value of one tensor.
func readInfo(dec *json.Decoder, name string, data int64) (Info, error) {
	if name == "" {
		return Info{}, invalid("empty name")
	}
	info := Info{Name: name, Shape: []int{}}
	fields := 0
	var offsets []int64
	err := object(dec, func(key string) (err error) {
		fields++
		switch key {
		case "dtype":
			var s string
			s, err = readString(dec)
			info.DType = DType(s)
		case "shape":
			var shape []int64
			if shape, err = readInts(dec, maxRank); err == nil {
				info.Shape, err = toInts(shape)
			}
		case "data_offsets":
			offsets, err = readInts(dec, 2)
		default:
			err = invalid("unknown field %q", key)
		}
		return err
	})
	if err != nil {
		return Info{}, err
	}
	if fields != 3 || len(offsets) != 2 {
		return Info{}, invalid("wants a dtype, a shape and two data_offsets")
	}
	info.Begin, info.End = offsets[0], offsets[1]
	return info, info.check(data)
}

// check compares type, shape and offsets with each other and with the length
// of the data section.
func (i Info) check(data int64) error {
	if err := i.DType.check(); err != nil {
		return err
	}
	if i.Begin < 0 || i.End < i.Begin || i.End > data {
		return invalid("data_offsets [%d, %d] do not lie in a data section of %d bytes", i.Begin, i.End, data)
	}
	want, err := byteLength(i.DType, i.Shape, data)
	if err != nil {
		return err
	}
	if got := i.End - i.Begin; got != want {
		return invalid("data_offsets span %d bytes, %s %v takes %d", got, i.DType, i.Shape, want)
	}
	return nil
}

// readMetadata reads an object of strings.
func readMetadata(dec *json.Decoder) (map[string]string, error) {
	m := map[string]string{}
	err := object(dec, func(key string) (err error) {
		m[key], err = readString(dec)
		return err
	})
	if err != nil {
		return nil, invalid("%s: %v", metadataKey, err)
	}
	return m, nil
}

// object reads a JSON object, calling value to read what follows each
// key. Two equal keys are an error: readers differ in which of them they use.
func object(dec *json.Decoder, value func(key string) error) error {
	if err := delim(dec, '{'); err != nil {
		return err
	}
	seen := map[string]struct{}{}
	for dec.More() {
		key, err := readString(dec)
		if err != nil {
			return err
		}
		if _, ok := seen[key]; ok {
			return invalid("key %q appears twice", key)
		}
		seen[key] = struct{}{}
		if err := value(key); err != nil {
			return err
		}
	}
	return delim(dec, '}')
}

// delim reads one of the JSON delimiters.
func delim(dec *json.Decoder, want json.Delim) error {
	t, err := token(dec)
	if err != nil {
		return err
	}
	if t != want {
		return invalid("JSON has %.40q where %q belongs", t, want)
	}
	return nil
}

func readString(dec *json.Decoder) (string, error) {
	t, err := token(dec)
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", invalid("JSON has %v where a string belongs", t)
	}
	return s, nil
}

// readInts reads an array of at most limit whole numbers of 64 bits.
func readInts(dec *json.Decoder, limit int) ([]int64, error) {
	if err := delim(dec, '['); err != nil {
		return nil, err
	}
	ints := []int64{}
	for dec.More() {
		t, err := token(dec)
		if err != nil {
			return nil, err
		}
		if len(ints) == limit {
			return nil, invalid("array has more than %d numbers", limit)
		}
		number, _ := t.(json.Number)
		n, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil {
			return nil, invalid("JSON has %.40q where a whole number belongs", t)
		}
		ints = append(ints, n)
	}
	return ints, delim(dec, ']')
}

// toInts refuses lengths that the machine's int cannot hold.
func toInts(long []int64) ([]int, error) {
	ints := make([]int, len(long))
	for i, n := range long {
		ints[i] = int(n)
		if int64(ints[i]) != n {
			return nil, invalid("shape %v is too large for this machine", long)
		}
	}
	return ints, nil
}

// token reads one JSON token and turns syntax errors and an early end into
// format errors.
func token(dec *json.Decoder) (json.Token, error) {
	t, err := dec.Token()
	if err == io.EOF {
		return nil, invalid("JSON ends early")
	}
	if err != nil {
		return nil, invalid("JSON: %v", err)
	}
	return t, nil
}

package tokenizer

import (
	"encoding/binary"
	"errors"
	"math"
)

var errProtobuf = errors.New("not a sentencepiece model: cut off, or not a protocol buffer")

// message reads the fields of a protocol buffer one after the other.
type message []byte

// protoField is a field of a message: a number for the wire types varint and 32 or 64 bits, bytes for the other.
type protoField struct {
	number int
	value  uint64
	bytes  []byte
}

// next returns the first field and takes it off the message.
func (m *message) next() (protoField, error) {
	key, err := m.varint()
	if err != nil || key>>3 == 0 || key>>3 > math.MaxInt32 {
		return protoField{}, errProtobuf
	}
	f := protoField{number: int(key >> 3)}
	switch key & 7 {
	case 0:
		f.value, err = m.varint()
	case 1:
		f.bytes, err = m.take(8)
	case 2:
		var n uint64
		if n, err = m.varint(); err == nil {
			f.bytes, err = m.take(n)
		}
	case 5:
		if f.bytes, err = m.take(4); err == nil {
			f.value = uint64(binary.LittleEndian.Uint32(f.bytes))
		}
	default:
		err = errProtobuf
	}
	return f, err
}

func (m *message) varint() (uint64, error) {
	v, n := binary.Uvarint(*m)
	if n <= 0 {
		return 0, errProtobuf
	}
	*m = (*m)[n:]
	return v, nil
}

func (m *message) take(n uint64) ([]byte, error) {
	if n > uint64(len(*m)) {
		return nil, errProtobuf
	}
	b := (*m)[:n]
	*m = (*m)[n:]
	return b, nil
}

// fields calls f for each field; an unknown field is f's to pass over.
func (m message) fields(f func(protoField) error) error {
	for len(m) > 0 {
		field, err := m.next()
		if err == nil {
			err = f(field)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

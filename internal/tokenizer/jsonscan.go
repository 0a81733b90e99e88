package tokenizer

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// The functions here walk over JSON that is known to be valid, without decoding it. A tokenizer.json has up to 33 MB
// in a million small values; decoding those by reflection, level by level, takes many seconds.

// members calls yield for each field of an object; false where raw is no object or yield returned false.
func members(raw []byte, yield func(key string, value []byte) bool) bool {
	return walk(raw, '{', func(item []byte) (int, bool) {
		end := skipValue(item)
		colon := end + bytes.IndexByte(item[end:], ':')
		from := colon + 1 + skipBlank(item[colon+1:])
		to := from + skipValue(item[from:])
		return to, yield(unquote(item[:end]), item[from:to])
	})
}

// elements calls yield for each element of an array; false where raw is no array or yield returned false.
func elements(raw []byte, yield func(value []byte) bool) bool {
	return walk(raw, '[', func(item []byte) (int, bool) {
		to := skipValue(item)
		return to, yield(item[:to])
	})
}

// walk calls item at the start of each item of an object or array; item returns the item's length.
func walk(raw []byte, open byte, item func([]byte) (int, bool)) bool {
	at := skipBlank(raw)
	if at == len(raw) || raw[at] != open {
		return false
	}
	for at++; ; at++ {
		at += skipBlank(raw[at:])
		if raw[at] == open+2 { // ] follows [ by two, as } follows {
			return true
		}
		n, ok := item(raw[at:])
		if !ok {
			return false
		}
		at += n
		at += skipBlank(raw[at:])
		if raw[at] == open+2 {
			return true
		}
	}
}

func skipBlank(raw []byte) int {
	for i, b := range raw {
		if b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			return i
		}
	}
	return len(raw)
}

// skipValue returns the length of the value that raw begins with.
func skipValue(raw []byte) int {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i += skipString(raw[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		case ' ', '\n', '\t', '\r', ',', ':':
			continue
		default:
			for i+1 < len(raw) && bytes.IndexByte([]byte(" \n\t\r,:]}"), raw[i+1]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(raw)
}

// skipString returns the length of the string that raw begins with.
func skipString(raw []byte) int {
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// unquote decodes a string. A value of another kind gives "", which callers exclude by isString.
func unquote(raw []byte) string {
	if !isString(raw) {
		return ""
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // valid, as all here is
	return s
}

func isString(raw []byte) bool { return len(raw) >= 2 && raw[0] == '"' }

// parseIDs reads {"token": id, …}; false where that isn't the form.
func parseIDs(raw []byte) (map[string]int, bool) {
	ids := make(map[string]int, min(bytes.Count(raw, []byte{','}), 1<<18))
	ok := members(raw, func(token string, value []byte) bool {
		id, err := strconv.Atoi(string(value))
		ids[token] = id
		return err == nil && len(ids) <= maxID
	})
	return ids, ok
}

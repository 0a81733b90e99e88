package hf

// Decode decodes a JSON value into v, a pointer, as ReadConfig does with a file:
// a field that v does not have is an error.
func Decode(data []byte, v any) error { return decodeStrictly(data, v) }

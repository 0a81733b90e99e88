package peak

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestProcess: memory that is written to is counted, and still is when it is given back.
func TestProcess(t *testing.T) {
	before := Process()
	if before == 0 {
		t.Skip("the system does not tell")
	}
	const size = 64 << 20
	held := make([]byte, size)
	for k := 0; k < size; k += 4096 {
		held[k] = 1
	}
	runtime.KeepAlive(held)
	assert.GreaterOrEqual(t, Process(), max(before, size))
}

// TestResident: memory that is written to is the process's own.
func TestResident(t *testing.T) {
	before, files := Resident()
	if before == 0 {
		t.Skip("the system does not tell")
	}
	assert.Positive(t, files)
	held := make([]byte, 64<<20)
	for k := 0; k < len(held); k += 4096 {
		held[k] = 1
	}
	own, _ := Resident()
	runtime.KeepAlive(held)
	assert.GreaterOrEqual(t, own, before+60<<20)
}

func TestNumber(t *testing.T) {
	const text = "rchar: 7\nread_bytes: 12\nwrite_bytes: 3\nRssAnon:\t 5 kB\n"
	assert.EqualValues(t, 12, number([]byte(text), "\nread_bytes:"))
	assert.EqualValues(t, 5<<10, status([]byte(text), "RssAnon:"))
	assert.Zero(t, number([]byte(text), "RssFile:"))
	assert.GreaterOrEqual(t, Fetched(), int64(0))
}

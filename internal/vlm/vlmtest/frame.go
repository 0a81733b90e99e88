package vlmtest

import (
	"reflect"

	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Frame returns what the Verifier of a model's package wraps, for tests outside of
// the package: no exported method gives it, which users would see.
func Frame(v any) *vlm.Verifier {
	return (*vlm.Verifier)(reflect.ValueOf(v).Elem().FieldByName("frame").UnsafePointer())
}

package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// The folder says what it holds. A model that the library does not have is an
// error of its own, so that a program can tell it from a broken download.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "verifier")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	config := []byte(`{"architectures": ["LlamaForCausalLM"]}`)
	if err := os.WriteFile(filepath.Join(folder, "config.json"), config, 0o600); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	rt, err := backends.Open(ctx, backends.Options{Backend: "go"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	_, err = verifier.Open(ctx, rt, folder, verifier.Options{})
	fmt.Println(errors.Is(err, verifier.ErrUnsupported))
	// Output: true
}

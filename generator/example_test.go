package generator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/generator"
)

// The folder says what it holds. A pipeline that the library does not have is an
// error of its own, so that a program can tell it from a broken download.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "generator")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	index := []byte(`{"_class_name": "PixelPipeline"}`)
	if err := os.WriteFile(filepath.Join(folder, "model_index.json"), index, 0o600); err != nil {
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
	_, err = generator.Open(ctx, rt, folder, generator.Options{})
	fmt.Println(errors.Is(err, generator.ErrUnsupported))
	// Output: true
}

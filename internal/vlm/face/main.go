// Face writes gen_verifier.go, the public face of a model's package: its errors, Open
// and OpenFS, and a type Verifier of its own with all its methods, which call those of
// vlm.Verifier. They are written out for every model because go doc shows nothing
// else: neither an alias of an internal type nor an embedded one has methods there.
//
// The package says what model it is:
//
//	//go:generate go run ../../internal/vlm/face "Qwen2.5-VL"
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"os"
	"text/template"
)

//go:embed face.go.tmpl
var source string

// file is what is written into a model's folder.
const file = "gen_verifier.go"

func main() {
	if len(os.Args) != 2 || os.Getenv("GOPACKAGE") == "" {
		fmt.Fprintln(os.Stderr, `face: want go generate with: //go:generate go run ../../internal/vlm/face "Model's name"`)
		os.Exit(2)
	}
	code, err := face(os.Getenv("GOPACKAGE"), os.Args[1])
	if err == nil {
		err = os.WriteFile(file, code, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "face:", err)
		os.Exit(1)
	}
}

// face returns the file of a package.
func face(name, model string) ([]byte, error) {
	var b bytes.Buffer
	data := struct{ Package, Model string }{name, model}
	if err := template.Must(template.New(file).Parse(source)).Execute(&b, data); err != nil {
		return nil, err
	}
	return format.Source(b.Bytes())
}

// Draw draws the figures of reports that package study wrote, beside them:
//
//	go -C study/figure run ./draw $PWD/out/studies/table4.json
//	go -C study/figure run ./draw -format svg $PWD/out/studies/*.json
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/study/figure"
)

func main() {
	format := flag.String("format", "png", "png, svg, pdf, eps, jpg or tif")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: draw [-format png] REPORT.json …")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	for _, path := range flag.Args() {
		if err := draw(path, *format); err != nil {
			fmt.Fprintln(os.Stderr, "draw:", err)
			os.Exit(1)
		}
	}
}

// draw draws one report; a table without a figure is none.
func draw(path, format string) error {
	report, err := study.Read(path)
	if err != nil {
		return err
	}
	out := strings.TrimSuffix(path, filepath.Ext(path)) + "." + format
	switch err := figure.Save(report, out); {
	case errors.Is(err, figure.ErrNothing):
		fmt.Printf("%s has no figure\n", report.Name)
	case err != nil:
		return err
	default:
		fmt.Println(out)
	}
	return nil
}

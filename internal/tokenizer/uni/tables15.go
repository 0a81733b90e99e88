//go:build ignore

// This program prints what Go 1.26 knows of Unicode 15, as JSON, for tables.py.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

type tables struct {
	Categories []string        `json:"categories"`
	Unassigned []rune          `json:"unassigned"`
	Lower      map[rune]string `json:"lower"`
	CCC        []rune          `json:"ccc"`
	Decomposes []rune          `json:"decomposes"`
}

func main() {
	if unicode.Version != "15.0.0" || norm.Version != "15.0.0" {
		panic("the tables are made against Unicode 15, that is with Go 1.26 or older")
	}
	var out tables
	var categories []*unicode.RangeTable
	for name, table := range unicode.Categories {
		if len(name) == 2 && name != "Cs" && name != "Cn" && name != "LC" {
			out.Categories = append(out.Categories, name)
			categories = append(categories, table)
		}
	}
	out.Lower = map[rune]string{}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if 0xd800 <= r && r < 0xe000 {
			continue
		}
		if !unicode.In(r, categories...) {
			out.Unassigned = append(out.Unassigned, r)
		}
		if l := strings.ToLower(string(r)); l != string(r) {
			out.Lower[r] = l
		}
		p := norm.NFKD.PropertiesString(string(r))
		if p.CCC() != 0 {
			out.CCC = append(out.CCC, r)
		}
		if p.Decomposition() != nil {
			out.Decomposes = append(out.Decomposes, r)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}

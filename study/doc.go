// Package study has the experiments of the paper's tables, for any generator and
// verifier, and the frame that they share.
//
//	rules, err := study.ReadRules("CommonsensenT2I/data.json")
//	report, err := study.Run(ctx, &study.Commonsense{
//		Setup: study.Setup{
//			Task:  dualprocess.Task{Runtime: rt, Generator: flux, Verifier: idefics2},
//			Label: "FLUX.1-schnell, Idefics2",
//		},
//		Rules: rules, Judge: gpt4o, Writer: writer,
//	}, study.Options{Folder: "out/table1"})
//	fmt.Print(report.Table.Text())
//
// The studies are [Commonsense] (the paper's Table 1), [Latents] (2), [Discernment]
// (3), [Reliability] (4), [Quality] (5) and [Horizon] (6). Package study/pocket has
// them ready for the models that the library carries in itself. Of another experiment,
// a type with the methods of [Study] gets the same.
//
// # What a run leaves
//
// A study consists of cells, which are measured one by one. After each, its folder has
// all numbers so far as <name>.json, with the settings that they come from, and the
// table as <name>.md and <name>.txt. Beside them are the pictures that were measured,
// under pictures, and the adapters that were trained, under adapters: everything can be
// computed again from them. Files are whole or absent. The same study in the same folder
// goes on behind the last cell, within a training behind its last checkpoint, and ends
// with the same numbers, seconds and bytes of memory excepted.
//
// # Intervals
//
// Behind each mean is its 95 % interval, by the bootstrap. What is drawn is what was
// repeated: the rules of Table 1, the adapters of Table 6, the pictures of Table 3. It
// says how much the number would move with other rules, lines or pictures of the same
// kind, and nothing of other models or settings. A cell without repeats has none.
//
// # Figures
//
// A report has what there is to draw as numbers. They are drawn by study/figure, a
// module of its own: gonum's plot and what it needs for PDF, SVG and fonts are a dozen
// modules, which nobody who trains an adapter should have to depend on. The studies
// themselves need none of that, so they stay in the library's module, and its examples
// can call them.
package study

// Package hf reads the JSON files of Hugging Face's libraries, transformers and
// diffusers: strictly, as a setting that is ignored is a wrong model. A
// configuration is a struct with the fields of its file; before it is read it
// holds what the library fills in where the file says nothing. A Folder is where the
// files are, however people come by it, and how its user wants them read.
//
// Errors name the file and the field. Those about a value wrap ErrConfig.
package hf

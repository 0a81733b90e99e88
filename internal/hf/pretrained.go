package hf

import "errors"

// Pretrained are the fields that transformers writes into the config.json of any
// model, and into each part of it, and that change nothing in what a model
// computes when it is only used. A configuration embeds it, so that ReadConfig
// knows them; a field of its own with the same name goes first.
type Pretrained struct {
	// These do change something, where they are given; Check refuses them.

	AddCrossAttention bool           `json:"add_cross_attention"`
	EncoderDecoder    bool           `json:"is_encoder_decoder"`
	IsDecoder         bool           `json:"is_decoder"`
	PrunedHeads       map[string]any `json:"pruned_heads"`
	Quantization      any            `json:"quantization_config"`

	Architectures     any `json:"architectures"`
	ModelType         any `json:"model_type"`
	NameOrPath        any `json:"_name_or_path"`
	Version           any `json:"transformers_version"`
	DType             any `json:"dtype"` // the tensors say it themselves
	TorchDType        any `json:"torch_dtype"`
	Attention         any `json:"_attn_implementation"`
	AutoAttention     any `json:"_attn_implementation_autoset"`
	AutoMap           any `json:"auto_map"`
	Composition       any `json:"is_composition"`
	TieEmbeddings     any `json:"tie_word_embeddings"` // models that have a head say it themselves
	UseCache          any `json:"use_cache"`
	LossType          any `json:"loss_type"`
	Labels            any `json:"num_labels"`
	LabelNames        any `json:"id2label"`
	LabelIDs          any `json:"label2id"`
	Problem           any `json:"problem_type"`
	Finetuning        any `json:"finetuning_task"`
	TaskParams        any `json:"task_specific_params"`
	Tokenizer         any `json:"tokenizer_class"`
	Prefix            any `json:"prefix"`
	BeginID           any `json:"bos_token_id"` // the tokenizer's and generation_config.json's count
	EndID             any `json:"eos_token_id"`
	PaddingID         any `json:"pad_token_id"`
	SeparatorID       any `json:"sep_token_id"`
	DecoderStartID    any `json:"decoder_start_token_id"`
	CrossWidth        any `json:"cross_attention_hidden_size"`
	TieEncoderDecoder any `json:"tie_encoder_decoder"`

	// Of training and of how the forward pass is run.

	AttentionDropout  any `json:"attention_dropout"`
	InitializerRange  any `json:"initializer_range"`
	InitializerFactor any `json:"initializer_factor"`
	ChunkFeedForward  any `json:"chunk_size_feed_forward"`
	OutputAttentions  any `json:"output_attentions"`
	OutputHidden      any `json:"output_hidden_states"`
	ReturnDict        any `json:"return_dict"`
	TorchScript       any `json:"torchscript"`
	BFloat16          any `json:"use_bfloat16"`
	LegacyLoss        any `json:"tf_legacy_loss"`

	pretrainedGeneration
}

// pretrainedGeneration are the settings of text generation that versions 4 of
// transformers kept beside those of the model. What we generate is greedy.
type pretrainedGeneration struct {
	BadWords            any `json:"bad_words_ids"`
	BeginSuppress       any `json:"begin_suppress_tokens"`
	Suppress            any `json:"suppress_tokens"`
	DoSample            any `json:"do_sample"`
	EarlyStopping       any `json:"early_stopping"`
	LengthDecay         any `json:"exponential_decay_length_penalty"`
	ForcedBegin         any `json:"forced_bos_token_id"`
	ForcedEnd           any `json:"forced_eos_token_id"`
	MaxLength           any `json:"max_length"`
	MinLength           any `json:"min_length"`
	LengthPenalty       any `json:"length_penalty"`
	RepetitionPenalty   any `json:"repetition_penalty"`
	DiversityPenalty    any `json:"diversity_penalty"`
	NoRepeat            any `json:"no_repeat_ngram_size"`
	EncoderNoRepeat     any `json:"encoder_no_repeat_ngram_size"`
	Beams               any `json:"num_beams"`
	BeamGroups          any `json:"num_beam_groups"`
	Sequences           any `json:"num_return_sequences"`
	OutputScores        any `json:"output_scores"`
	ReturnGenerated     any `json:"return_dict_in_generate"`
	RemoveInvalidValues any `json:"remove_invalid_values"`
	Temperature         any `json:"temperature"`
	TopK                any `json:"top_k"`
	TopP                any `json:"top_p"`
	TypicalP            any `json:"typical_p"`
}

// Check names the first field that changes what a model computes.
func (p Pretrained) Check() error {
	return errors.Join(
		Require("add_cross_attention", p.AddCrossAttention, false),
		Require("is_encoder_decoder", p.EncoderDecoder, false),
		Require("is_decoder", p.IsDecoder, false),
		Check(len(p.PrunedHeads) == 0, "pruned_heads is %v, which is not supported", p.PrunedHeads),
		Absent("quantization_config", p.Quantization),
	)
}

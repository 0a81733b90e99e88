// Package remote asks a vision-language model behind an endpoint that speaks
// OpenAI's chat completions: GPT-4o and its successors, vLLM, llama.cpp, Ollama and
// many others. Such a model gives no gradient, so it can rate pictures
// ([dualprocess.Evaluate]) but never teach; it is a second opinion on what a local
// verifier taught.
//
//	scorer, err := remote.New(remote.Options{Model: "gpt-4o"}) // with the key in OPENAI_API_KEY
//	scorer, err := remote.New(remote.Options{Model: "Qwen/Qwen2.5-VL-7B-Instruct", BaseURL: "http://localhost:8000/v1"}) // vLLM
//	scorer, err := remote.New(remote.Options{Model: "any", BaseURL: "http://localhost:8080/v1"})      // llama.cpp
//	scorer, err := remote.New(remote.Options{Model: "gemma3", BaseURL: "http://localhost:11434/v1"}) // Ollama
//
//	ratings, err := dualprocess.Evaluate(ctx, dualprocess.Evaluation{Scorer: scorer, …})
//
// # What is asked, and how the answer is read
//
// One turn of the user: the picture as PNG, then the question with its suffix, at
// temperature 0. Where the endpoint gives log-probabilities, P(answer) comes from
// the first tokens of the answer and their alternatives, with all spellings that
// differ by case, spaces and decoration ("Yes", " yes", "**Yes**") summed, and
// along several tokens where the answer has them. Where it gives none, the text is
// read, and P is 1 or 0; a text that is neither Yes nor No is an error that wraps
// [ErrAnswer]. Options.Basis forces one or the other. Thoughts between <think> and
// </think> are skipped, and so are parts of an answer that are not text. Tokens that
// do not spell the answer's text, as where an endpoint hides thoughts, count as none.
// An alternative whose log-probability is missing is passed over.
//
// Of a longer answer an endpoint lists only what the model said and the
// alternatives of each of those tokens. What it did not follow is missing in P and
// reported as Rating.Unresolved. For Yes and No, which are one token nearly
// everywhere, nothing is missing but what lies below the twenty likeliest.
//
// Endpoints and models differ in the fields that they take: some refuse
// logprobs, top_logprobs, temperature, seed, detail, max_tokens or
// max_completion_tokens. A refusal (400 or 422) that names one of these is answered by
// asking without it, once per Scorer; all other 4xx are errors at once. An error that
// comes with status 200, alone or in the choice, is what its code says.
//
// # The key, and whom to trust
//
// The key comes from the environment alone and goes to the endpoint alone: not
// over plain http to another machine, not along a redirect to another scheme, host
// or port, not to an endpoint other than OpenAI's unless Options.KeyVariable says
// which key is meant for it. No error or printed value of this package holds it,
// even where the endpoint repeats it, and the client's errors, which carry the
// request, are not wrapped. The client's own variables (OPENAI_BASE_URL,
// OPENAI_ADMIN_KEY, OPENAI_CUSTOM_HEADERS and others) are not read. Responses are
// bounded in size and time. A 429 or 5xx, a failed connection or an attempt that
// took too long is tried again after a pause that doubles, or that the endpoint
// asks for with Retry-After.
//
// # A module of its own
//
// The official client brings dependencies that nobody needs who distils locally, so
// this folder is a module, beside that of the library:
//
//	go get github.com/dualprocess/dualprocess-go/verifier/remote
package remote

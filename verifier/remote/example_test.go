package remote_test

import (
	"context"
	"fmt"
	"image"
	"net/http"
	"net/http/httptest"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

// The endpoint of this example is a stand-in for a server of your own, as vLLM
// would be at http://localhost:8000/v1. For OpenAI's leave BaseURL out and put the
// key into OPENAI_API_KEY.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices": [{
			"message": {"role": "assistant", "content": "Yes"}, "finish_reason": "stop",
			"logprobs": {"content": [{"token": "Yes", "logprob": -0.22314, "top_logprobs": [
				{"token": "Yes", "logprob": -0.22314}, {"token": "No", "logprob": -1.89712}, {"token": " yes", "logprob": -3.91202}
			]}]}
		}]}`)
	}))
	defer server.Close()

	scorer, err := remote.New(remote.Options{Model: "Qwen/Qwen2.5-VL-7B-Instruct", BaseURL: server.URL + "/v1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	picture := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	question := dualprocess.Question{Text: "Is the picture empty?", Answer: "Yes"}
	p, err := scorer.Score(context.Background(), picture, question)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("P(Yes) = %.2f\n", p)

	rating, err := scorer.Rate(context.Background(), picture, question)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q, P(No) = %.2f, of the two Yes has %.3f\n", rating.Text, rating.No, rating.Normalised())
	// Output:
	// P(Yes) = 0.82
	// "Yes", P(No) = 0.15, of the two Yes has 0.845
}

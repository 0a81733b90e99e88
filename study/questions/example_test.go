package questions_test

import (
	"context"
	"fmt"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/study/questions"
)

func ExampleTable() {
	ctx := context.Background()
	table := questions.Table{"a lake in winter": {
		Question: dualprocess.Question{Text: "Is the lake frozen?", Answer: "Yes"}, Expanded: "a frozen lake in winter",
	}}
	q, err := table.Question(ctx, "a lake in winter")
	fmt.Println(q.Prompt(), q.Answer, err)
	expanded, err := table.Expand(ctx, "a lake in winter")
	fmt.Println(expanded, err)
	// Output:
	// Is the lake frozen? Answer with Yes or No. Yes <nil>
	// a frozen lake in winter <nil>
}

package questions_test

import (
	"context"
	"fmt"

	"github.com/dualprocess/dualprocess-go/study/questions"
)

func ExamplePocket() {
	ctx := context.Background()
	q, err := questions.Pocket{}.Question(ctx, "a lake in winter with a boat")
	fmt.Println(q.Prompt(), q.Answer, err)
	expanded, err := questions.Pocket{}.Expand(ctx, "a lake in winter with a boat")
	fmt.Println(expanded, err)
	// Output:
	// Is the lake frozen? Answer with Yes or No. Yes <nil>
	// a frozen lake in winter with a boat <nil>
}

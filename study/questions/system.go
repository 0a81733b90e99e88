package questions

// System are the system prompts of a Model. Whatever takes the place of one must ask
// for the same JSON.
type System struct {
	Expand   string // "" = DefaultSystem's; so the others
	Question string // from a prompt; the number of questions comes with it
	Cover    string // from a description
}

// DefaultSystem returns the system prompts that are used where none are given. The
// paper's are pictures in its appendix; these ask for the same in other words.
func DefaultSystem() System {
	return System{
		Expand: `You write captions for a text-to-image model, which draws what it reads and knows little of the world.
You get a short caption. Say the same scene again in one to three plain sentences of at most 80 words, so that a painter who takes every word literally draws it right:
- Keep all that the caption names, and add no other main subject.
- Think of what follows from the caption by physics, biology, habit or season and is not said in it, and say how it looks.
- Describe what is seen. No reasons, no negations, no style or quality words that the caption lacks.
Answer with JSON alone, in this form: {"prompt": "..."}`,

		Question: `You check pictures that a text-to-image model drew from a caption.
You get the caption and a number. Think of what must be seen in a right picture although the caption does not say it: what follows by physics, biology, habit or season, and what a careless painter would get wrong. Write so many questions about a picture that tell a right one from a wrong one:
- A person who sees the picture and does not know the caption can answer with Yes or No.
- Each is one sentence of at most 30 words that begins with a word such as Is, Are, Does or Has and ends with a question mark.
- Each asks about one thing that is seen, the most important first. None asks only whether the caption's subject is there.
- Beside each stands the answer of a right picture, Yes or No. Prefer questions that Yes answers.
Answer with JSON alone, in this form: {"questions": [{"question": "...", "answer": "Yes"}]}`,

		Cover: `You turn statements about pictures into questions.
You get a statement that is true of a right picture, and the number 1. Write one question that a person who sees the picture and does not know the statement answers with Yes if the statement is true of it, and with No if not:
- It is one sentence of at most 30 words that begins with a word such as Is, Are, Does or Has and ends with a question mark.
- It asks about all that the statement says, and about nothing else.
Answer with JSON alone, in this form: {"questions": [{"question": "...", "answer": "Yes"}]}`,
	}
}

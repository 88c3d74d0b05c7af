package orchestrator

// Flow is what an arriving call goes through: named nodes joined by exits.
// A call stays on the version it entered with.
type Flow struct {
	ID      FlowID          `json:"id"`
	Name    string          `json:"name,omitempty"`
	Version uint64          `json:"version"`
	Start   string          `json:"start"`
	Nodes   map[string]Node `json:"nodes"`
}

// NodeType says what a node does.
type NodeType string

// The node types and their exits. An exit that is not connected ends the call
// politely (hang up, outcome system/flow_end), except where said.
const (
	NodeAnswer   NodeType = "answer"   // answer the call. exits: next
	NodePlay     NodeType = "play"     // play media. exits: next, failed (default: next)
	NodeMenu     NodeType = "menu"     // ask for digits. exits: each choice, timeout, invalid
	NodeHours    NodeType = "hours"    // open now? exits: open, closed, holiday (default: closed)
	NodeQueue    NodeType = "queue"    // wait for an agent. exits: max_wait, no_agents (default: the queue's overflow)
	NodeTransfer NodeType = "transfer" // give the call to the dialplan. exits: failed
	NodeHangup   NodeType = "hangup"   // end the call. no exits
)

// Exits that are not menu choices.
const (
	ExitNext     = "next"
	ExitFailed   = "failed"
	ExitTimeout  = "timeout"
	ExitInvalid  = "invalid"
	ExitOpen     = "open"
	ExitClosed   = "closed"
	ExitHoliday  = "holiday"
	ExitMaxWait  = "max_wait"
	ExitNoAgents = "no_agents"
)

// Node is one step of a flow. Which fields are read depends on Type;
// validation refuses the others.
type Node struct {
	Type NodeType `json:"type"`

	Play []Media `json:"play,omitempty"` // play: what is heard; menu: the question

	// Menu. Digits are collected until one choice matches whole, no choice
	// can match any more, or time is up. What was pressed during a play node
	// before it counts as pressed here, and then nothing is asked.
	Timeout    Millis  `json:"timeout_ms,omitempty"`     // silence after the question; default 5 s
	InterDigit Millis  `json:"inter_digit_ms,omitempty"` // between digits; default 3 s
	Retries    int     `json:"retries,omitempty"`        // times the question is repeated; default 2, -1 for none
	NoInput    []Media `json:"no_input,omitempty"`       // before repeating after silence
	WrongInput []Media `json:"wrong_input,omitempty"`    // before repeating after a wrong choice

	Hours    HoursID `json:"hours,omitempty"`
	Queue    QueueID `json:"queue,omitempty"`
	Priority int     `json:"priority,omitempty"` // queue: added to the queue's own

	Context   string `json:"context,omitempty"`   // transfer: dialplan context, "" the fallback's
	Extension string `json:"extension,omitempty"` // transfer

	Cause int `json:"cause,omitempty"` // hangup: Q.850, default 16

	On map[string]string `json:"on,omitempty"` // exit -> node
}

package orchestrator

// Severity says what a finding means for calls.
type Severity string

// The severities.
const (
	SeverityOK      Severity = "ok"
	SeverityNote    Severity = "note"    // cannot be seen from here, or good to know
	SeverityWarning Severity = "warning" // works until load, a restart or an attacker comes
	SeverityError   Severity = "error"   // calls will not work
)

// Finding is one thing a doctor looked at on a switch or a machine. Fix names
// the file, the line and the command, and is empty when nothing is to be done.
type Finding struct {
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	Found    string   `json:"found"`
	Want     string   `json:"want,omitempty"`
	Fix      string   `json:"fix,omitempty"`
}

package orchestrator

// Capabilities is what a switch can and cannot do. A difference between
// switches is a field here, never a surprise: the API shows them with the live
// switch, doctor says what each one lacks means, and the conformance suite holds
// each switch to its own.
type Capabilities struct {
	Kind    string `json:"kind"`    // "asterisk", "freeswitch", "simulated"
	Version string `json:"version"` // as the switch tells it

	// EarlyBridge: legs can be connected before they are answered.
	EarlyBridge bool `json:"early_bridge"`
	// AsksAttended: attended transfers are asked for (TransferAsked); otherwise
	// they have happened (TransferHappened).
	AsksAttended bool `json:"asks_attended"`
	// TalksWhileAsked: both talk on while a blind transfer waits for our word.
	TalksWhileAsked bool `json:"talks_while_asked"`
	// Recording, Supervision: the actions of that name work.
	Recording   bool `json:"recording"`
	Supervision bool `json:"supervision"`
	// KeepsMode: while a leg supervises only Supervise changes its mode. False:
	// the phone's own keys 0, 2 and 3 change it to listen, whisper and barge too
	// (and 1 to something that is no mode), besides being told as digits.
	KeepsMode bool `json:"keeps_mode"`
	// StereoFile: a recording is one file of two channels, not two files.
	StereoFile bool `json:"stereo_file"`
	// RecordsEveryAgent: what the leg hears stays in its recording when it is
	// joined with another; otherwise that side may fall silent from then on.
	RecordsEveryAgent bool `json:"records_every_agent"`
	// ListsRecordings: running recordings are found again after a restart of
	// ours, in SnapshotLeg.Recordings.
	ListsRecordings bool `json:"lists_recordings"`
	// DetectsMachine: DetectMachine works.
	DetectsMachine bool `json:"detects_machine"`
	// StreamsAudio: StreamAudio and StopStream work.
	StreamsAudio bool `json:"streams_audio"`
	// JoinGap is about how long two who talk are silent when a third joins them.
	JoinGap Millis `json:"join_gap_ms"`
	// FallsBackAlone: calls that arrive while nobody controls the switch, and
	// those in our care that nobody adopts, go to the dialplan's fallback.
	// False: only those that arrive do.
	FallsBackAlone bool `json:"falls_back_alone"`
}

// Lack is something a switch does not do, and what that means for whoever runs
// the centre.
type Lack struct {
	Capability string // its name in JSON
	Means      string
}

// Lacks is what a switch of these capabilities does not do, in the order of the
// fields.
func (c Capabilities) Lacks() (all []Lack) {
	for _, x := range []struct {
		has  bool
		lack Lack
	}{
		{c.EarlyBridge, Lack{"early_bridge", "two are connected only once both are answered; sound before that is not passed on"}},
		{c.AsksAttended, Lack{"asks_attended", "an attended transfer by a phone's key is done by the switch and followed, it cannot be refused"}},
		{c.TalksWhileAsked, Lack{"talks_while_asked", "while a blind transfer by a phone's key is looked at, caller and agent do not hear each other"}},
		{c.Recording, Lack{"recording", "calls cannot be recorded"}},
		{c.Supervision, Lack{"supervision", "supervisors cannot listen, whisper or barge"}},
		{c.KeepsMode, Lack{"keeps_mode", "a supervisor's own keys change the mode, whatever was ordered: 0 listens, 1 speaks to the caller, 2 to the agent, 3 to both"}},
		{c.StereoFile, Lack{"stereo_file", "a recording is two files: what the caller says and what they hear"}},
		{c.RecordsEveryAgent, Lack{"records_every_agent", "after a transfer the second agent may be missing from the recording; the caller is not"}},
		{c.ListsRecordings, Lack{"lists_recordings", "recordings that run when Ringmaster restarts end then"}},
		{c.DetectsMachine, Lack{"detects_machine", "answering machines are not told from people"}},
		{c.StreamsAudio, Lack{"streams_audio", "what is said cannot be sent to a server, such as one that writes it down, while it is said"}},
		{c.JoinGap == 0, Lack{"join_gap_ms", "two who talk are silent for a moment when a third joins"}},
		{c.FallsBackAlone, Lack{"falls_back_alone", "callers who wait when Ringmaster dies hear music until it is back; only new calls go to the fallback"}},
	} {
		if !x.has {
			all = append(all, x.lack)
		}
	}
	return all
}

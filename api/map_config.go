package api

import (
	"maps"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// Configuration objects as the API shows them, and back. Each pair is written
// out: the API's types may stay as they are when the floor's change.

// each maps a list; nil stays nil.
func each[A, B any](in []A, f func(A) B) []B {
	if in == nil {
		return nil
	}
	out := make([]B, 0, len(in))
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

// list is each for fields that are always there: nil becomes empty.
func list[A, B any](in []A, f func(A) B) []B {
	if in == nil {
		return []B{}
	}
	return each(in, f)
}

func settingsToAPI(s orchestrator.Settings) gen.Settings {
	return gen.Settings{
		Language: s.Language, Zone: s.Zone, UnknownNumberFlow: string(s.Unknown),
		FeatureCodes: gen.FeatureCodes{
			Login: s.FeatureCodes.Login, Logout: s.FeatureCodes.Logout, Ready: s.FeatureCodes.Ready,
			Pause: s.FeatureCodes.Pause, WrapUpDone: s.FeatureCodes.WrapUpDone,
		},
		PauseReasons: each(s.PauseReasons, func(r orchestrator.PauseReason) gen.PauseReason {
			return gen.PauseReason{ID: r.ID, Name: r.Name, Digit: r.Digit}
		}),
	}
}

func settingsFromAPI(s gen.Settings) orchestrator.Settings {
	return orchestrator.Settings{
		Language: s.Language, Zone: s.Zone, Unknown: orchestrator.FlowID(s.UnknownNumberFlow),
		FeatureCodes: orchestrator.FeatureCodes{
			Login: s.FeatureCodes.Login, Logout: s.FeatureCodes.Logout, Ready: s.FeatureCodes.Ready,
			Pause: s.FeatureCodes.Pause, WrapUpDone: s.FeatureCodes.WrapUpDone,
		},
		PauseReasons: each(s.PauseReasons, func(r gen.PauseReason) orchestrator.PauseReason {
			return orchestrator.PauseReason{ID: r.ID, Name: r.Name, Digit: r.Digit}
		}),
	}
}

// switchToAPI leaves the access out: it comes from another place.
func switchToAPI(p orchestrator.PBX) gen.Switch {
	links := make([]gen.Link, len(p.Links))
	for i, l := range p.Links {
		links[i] = gen.Link{To: string(l.To), Trunk: l.Trunk}
	}
	return gen.Switch{ID: string(p.ID), Type: gen.SwitchType(p.Type), Name: p.Name, Links: links}
}

func switchFromAPI(p gen.Switch) orchestrator.PBX {
	pbx := orchestrator.PBX{ID: orchestrator.SwitchID(p.ID), Type: string(p.Type), Name: p.Name}
	for _, l := range p.Links {
		pbx.Links = append(pbx.Links, orchestrator.Link{To: orchestrator.SwitchID(l.To), Trunk: l.Trunk})
	}
	return pbx
}

func phoneToAPI(p orchestrator.Phone) gen.Phone {
	return gen.Phone{ID: string(p.ID), Switch: string(p.Switch), Endpoint: p.Endpoint, AutoAnswer: p.AutoAnswer}
}

func phoneFromAPI(p gen.Phone) orchestrator.Phone {
	return orchestrator.Phone{
		ID: orchestrator.PhoneID(p.ID), Switch: orchestrator.SwitchID(p.Switch),
		Endpoint: p.Endpoint, AutoAnswer: p.AutoAnswer,
	}
}

func agentToAPI(a orchestrator.Agent) gen.Agent {
	return gen.Agent{ID: string(a.ID), Number: a.Number, Name: a.Name, Skills: maps.Clone(a.Skills)}
}

// agentFromAPI leaves the PIN out: it goes to another place.
func agentFromAPI(a gen.Agent) orchestrator.Agent {
	return orchestrator.Agent{ID: orchestrator.AgentID(a.ID), Number: a.Number, Name: a.Name, Skills: maps.Clone(a.Skills)}
}

func hoursToAPI(h orchestrator.Hours) gen.Hours {
	return gen.Hours{
		ID: string(h.ID), Zone: h.Zone, Weekly: list(h.Weekly, openingToAPI),
		Holidays: each(h.Holidays, func(d orchestrator.Holiday) gen.Holiday {
			return gen.Holiday{Date: d.Date, Name: d.Name, Open: each(d.Open, openingToAPI)}
		}),
	}
}

func hoursFromAPI(h gen.Hours) orchestrator.Hours {
	return orchestrator.Hours{
		ID: orchestrator.HoursID(h.ID), Zone: h.Zone, Weekly: each(h.Weekly, openingFromAPI),
		Holidays: each(h.Holidays, func(d gen.Holiday) orchestrator.Holiday {
			return orchestrator.Holiday{Date: d.Date, Name: d.Name, Open: each(d.Open, openingFromAPI)}
		}),
	}
}

func openingToAPI(o orchestrator.Opening) gen.Opening {
	return gen.Opening{
		Days: each(o.Days, func(d string) gen.OpeningDays { return gen.OpeningDays(d) }), From: o.From, To: o.To,
	}
}

func openingFromAPI(o gen.Opening) orchestrator.Opening {
	return orchestrator.Opening{
		Days: each(o.Days, func(d gen.OpeningDays) string { return string(d) }), From: o.From, To: o.To,
	}
}

func numberToAPI(n orchestrator.Number) gen.Number {
	return gen.Number{Dialled: n.Dialled, Flow: string(n.Flow), Name: n.Name}
}

func numberFromAPI(n gen.Number) orchestrator.Number {
	return orchestrator.Number{Dialled: n.Dialled, Flow: orchestrator.FlowID(n.Flow), Name: n.Name}
}

func queueToAPI(q orchestrator.Queue) gen.Queue {
	return gen.Queue{
		ID: string(q.ID), Name: q.Name, Version: int64(q.Version), Strategy: gen.QueueStrategy(q.Strategy),
		Agents: each(q.Agents, func(a orchestrator.QueueAgent) gen.QueueAgent {
			return gen.QueueAgent{Agent: string(a.Agent), Level: a.Level}
		}),
		Skills: each(q.Skills, func(n orchestrator.SkillNeed) gen.SkillNeed {
			return gen.SkillNeed{Skill: n.Skill, Level: n.Level}
		}),
		Priority: q.Priority, RingTimeoutMs: int64(q.RingTimeout), WrapUpMs: int64(q.WrapUp), MaxWaitMs: int64(q.MaxWait),
		Overflow: gen.Target{Queue: string(q.Overflow.Queue), Flow: string(q.Overflow.Flow)},
		Music:    q.Music,
		Announce: gen.Announce{
			FirstMs: int64(q.Announce.First), EveryMs: int64(q.Announce.Every), Play: each(q.Announce.Play, mediaToAPI),
		},
		ServiceLevelMs: int64(q.ServiceLevel), ShortAbandonMs: int64(q.ShortAbandon),
		BusyDelayMs: int64(q.BusyDelay), RejectDelayMs: int64(q.RejectDelay), NoAnswerDelayMs: int64(q.NoAnswerDelay),
		UnreachableDelayMs: int64(q.UnreachableDelay), MaxMisses: q.MaxMisses,
	}
}

func queueFromAPI(q gen.Queue) orchestrator.Queue {
	type ms = orchestrator.Millis
	return orchestrator.Queue{
		ID: orchestrator.QueueID(q.ID), Name: q.Name, Version: uint64(q.Version), Strategy: orchestrator.Strategy(q.Strategy),
		Agents: each(q.Agents, func(a gen.QueueAgent) orchestrator.QueueAgent {
			return orchestrator.QueueAgent{Agent: orchestrator.AgentID(a.Agent), Level: a.Level}
		}),
		Skills: each(q.Skills, func(n gen.SkillNeed) orchestrator.SkillNeed {
			return orchestrator.SkillNeed{Skill: n.Skill, Level: n.Level}
		}),
		Priority: q.Priority, RingTimeout: ms(q.RingTimeoutMs), WrapUp: ms(q.WrapUpMs), MaxWait: ms(q.MaxWaitMs),
		Overflow: orchestrator.Target{
			Queue: orchestrator.QueueID(q.Overflow.Queue), Flow: orchestrator.FlowID(q.Overflow.Flow),
		},
		Music: q.Music,
		Announce: orchestrator.Announce{
			First: ms(q.Announce.FirstMs), Every: ms(q.Announce.EveryMs), Play: each(q.Announce.Play, mediaFromAPI),
		},
		ServiceLevel: ms(q.ServiceLevelMs), ShortAbandon: ms(q.ShortAbandonMs),
		BusyDelay: ms(q.BusyDelayMs), RejectDelay: ms(q.RejectDelayMs), NoAnswerDelay: ms(q.NoAnswerDelayMs),
		UnreachableDelay: ms(q.UnreachableDelayMs), MaxMisses: q.MaxMisses,
	}
}

func mediaToAPI(m orchestrator.Media) gen.Media {
	return gen.Media{Say: m.Say, Language: m.Language, Sound: m.Sound, File: m.File}
}

func mediaFromAPI(m gen.Media) orchestrator.Media {
	return orchestrator.Media{Say: m.Say, Language: m.Language, Sound: m.Sound, File: m.File}
}

func flowToAPI(f orchestrator.Flow) gen.Flow {
	out := gen.Flow{
		ID: string(f.ID), Name: f.Name, Version: int64(f.Version), Start: f.Start,
		Nodes: make(map[string]gen.Node, len(f.Nodes)),
	}
	for name, n := range f.Nodes {
		out.Nodes[name] = gen.Node{
			Type: gen.NodeType(n.Type), Play: each(n.Play, mediaToAPI),
			TimeoutMs: int64(n.Timeout), InterDigitMs: int64(n.InterDigit), Retries: n.Retries,
			NoInput: each(n.NoInput, mediaToAPI), WrongInput: each(n.WrongInput, mediaToAPI),
			Hours: string(n.Hours), Queue: string(n.Queue), Priority: n.Priority,
			Context: n.Context, Extension: n.Extension, Cause: n.Cause, On: maps.Clone(n.On),
		}
	}
	return out
}

func flowFromAPI(f gen.Flow) orchestrator.Flow {
	out := orchestrator.Flow{
		ID: orchestrator.FlowID(f.ID), Name: f.Name, Version: uint64(f.Version), Start: f.Start,
		Nodes: make(map[string]orchestrator.Node, len(f.Nodes)),
	}
	for name, n := range f.Nodes {
		out.Nodes[name] = orchestrator.Node{
			Type: orchestrator.NodeType(n.Type), Play: each(n.Play, mediaFromAPI),
			Timeout: orchestrator.Millis(n.TimeoutMs), InterDigit: orchestrator.Millis(n.InterDigitMs), Retries: n.Retries,
			NoInput: each(n.NoInput, mediaFromAPI), WrongInput: each(n.WrongInput, mediaFromAPI),
			Hours: orchestrator.HoursID(n.Hours), Queue: orchestrator.QueueID(n.Queue), Priority: n.Priority,
			Context: n.Context, Extension: n.Extension, Cause: n.Cause, On: maps.Clone(n.On),
		}
	}
	return out
}

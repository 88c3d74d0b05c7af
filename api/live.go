package api

import (
	"context"
	"fmt"
	"time"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/metrics"
)

// GetLive answers the floor at this instant.
func (s *Server) GetLive(ctx context.Context, _ gen.GetLiveRequestObject) (gen.GetLiveResponseObject, error) {
	f, err := s.floor(ctx)
	if err != nil {
		return nil, err
	}
	live, err := f.Live(ctx)
	if err != nil {
		return nil, fmt.Errorf("read floor: %w", err)
	}
	return gen.GetLive200JSONResponse(liveToAPI(live)), nil
}

// ListMetricsDefinitions answers what each figure means.
func (s *Server) ListMetricsDefinitions(
	context.Context, gen.ListMetricsDefinitionsRequestObject,
) (gen.ListMetricsDefinitionsResponseObject, error) {
	return gen.ListMetricsDefinitions200JSONResponse{
		Items: list(metrics.Definitions(), func(d metrics.Definition) gen.MetricDefinition {
			return gen.MetricDefinition{
				Name: d.Name, Unit: gen.MetricDefinitionUnit(d.Unit), Formula: d.Formula, Source: d.Source,
			}
		}),
	}, nil
}

func liveToAPI(l orchestrator.Live) gen.Live {
	return gen.Live{
		At: l.At.UTC(), Seq: int64(l.Seq), Switches: list(l.Switches, liveSwitchToAPI),
		Queues: list(l.Queues, liveQueueToAPI), Agents: list(l.Agents, liveAgentToAPI), Calls: list(l.Calls, liveCallToAPI),
	}
}

func liveSwitchToAPI(s orchestrator.LiveSwitch) gen.LiveSwitch {
	return gen.LiveSwitch{
		Switch: string(s.Switch), Attached: s.Attached, Since: s.Since.UTC(), Reason: s.Reason, Overloaded: s.Overloaded, Capabilities: capabilitiesToAPI(s.Capabilities),
	}
}

func capabilitiesToAPI(c orchestrator.Capabilities) *gen.Capabilities {
	if c.Kind == "" { // no adapter runs
		return nil
	}
	return &gen.Capabilities{
		Kind: c.Kind, Version: c.Version, EarlyBridge: c.EarlyBridge, AsksAttended: c.AsksAttended, TalksWhileAsked: c.TalksWhileAsked,
		Recording: c.Recording, Supervision: c.Supervision, KeepsMode: c.KeepsMode, StereoFile: c.StereoFile,
		RecordsEveryAgent: c.RecordsEveryAgent, ListsRecordings: c.ListsRecordings, DetectsMachine: c.DetectsMachine, StreamsAudio: c.StreamsAudio,
		JoinGapMs: int64(c.JoinGap), FallsBackAlone: c.FallsBackAlone,
	}
}

func liveQueueToAPI(q orchestrator.LiveQueue) gen.LiveQueue {
	return gen.LiveQueue{
		Queue: string(q.Queue), Name: q.Name, Waiting: q.Waiting, WaitingSince: instant(q.WaitingSince), Talking: q.Talking,
		AgentsLoggedIn: q.AgentsIn, AgentsReady: q.AgentsReady, Today: dayToAPI(q.Today), Figures: figuresOf(q.Today),
	}
}

func dayToAPI(d orchestrator.QueueDay) gen.QueueDay {
	return gen.QueueDay{
		Date: d.Date, Offered: d.Offered, Answered: d.Answered, AnsweredInTime: d.AnsweredInTime, Abandoned: d.Abandoned,
		AbandonedShort: d.AbandonedShort, AbandonedInTime: d.AbandonedInTime, Overflowed: d.Overflowed,
		AnsweredWaitMs: d.AnsweredWaitMs, AbandonedWaitMs: d.AbandonedWaitMs, LongestWaitMs: d.LongestWaitMs,
		ServiceLevelMs: int64(d.ServiceLevelOver),
	}
}

// figuresOf computes every defined figure of a day.
func figuresOf(d orchestrator.QueueDay) []gen.Figure {
	return list(metrics.Definitions(), func(def metrics.Definition) gen.Figure {
		out := gen.Figure{Metric: def.Name, Unit: gen.FigureUnit(def.Unit)}
		if value, ok := def.Of(d); ok {
			out.Value = &value
		}
		return out
	})
}

func liveAgentToAPI(a orchestrator.LiveAgent) gen.LiveAgent {
	return gen.LiveAgent{
		Agent: string(a.Agent), Number: a.Number, Name: a.Name, State: gen.AgentState(a.State), Since: a.Since.UTC(),
		Reason: a.Reason, Until: instant(a.Until), Intent: gen.LiveAgentIntent(a.Intent), Phone: string(a.Phone),
		PhoneReachable: a.Reachable, Call: string(a.Call), Queues: list(a.Queues, text),
	}
}

func liveCallToAPI(c orchestrator.LiveCall) gen.LiveCall {
	return gen.LiveCall{
		Call: string(c.Call), Caller: partyToAPI(c.Caller), Dialled: c.Dialled, Arrived: c.Arrived.UTC(),
		Phase: gen.CallPhase(c.Phase), Since: c.Since.UTC(), Node: c.Node, Queue: string(c.Queue), Position: c.Position,
		Agent: string(c.Agent), Switch: string(c.Switch),
	}
}

func partyToAPI(p orchestrator.Party) gen.Party { return gen.Party{Number: p.Number, Name: p.Name} }

// instant is a time that may be missing.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func text[S ~string](s S) string { return string(s) }

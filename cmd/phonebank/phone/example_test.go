package phone_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"ringmaster/cmd/phonebank/phone"
)

// An agent's phone answers after a second; a caller from a trunk dials, presses 1 and listens for the agent.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	agent, err := phone.New(phone.Config{
		User: "1001", Password: "secret", Registrar: "127.0.0.1:5060",
		ToneHz: 900, Tones: []int{440, 600, 900}, Behaviour: phone.AnswerAfter(time.Second),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer agent.Close()
	if err := agent.Register(ctx); err != nil {
		log.Fatal(err)
	}
	trunk, err := phone.New(phone.Config{
		User: "trunk", Registrar: "127.0.0.1:5060", ListenHost: "127.0.0.2",
		ToneHz: 600, Tones: []int{440, 600, 900}, CallWaiting: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer trunk.Close()

	call, err := trunk.Dial(ctx, "700", phone.DialOptions{CallerNumber: "+4930123456", CallerName: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	if err := call.WaitAnswer(ctx); err != nil {
		log.Fatal(err)
	}
	if err := call.SendDTMF(ctx, "1"); err != nil {
		log.Fatal(err)
	}
	heard, err := call.Ear().WaitTone(ctx, 900, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("agent heard after", heard.Sub(call.Times().Invite))
	fmt.Println("music before, part of the time:", call.Ear().Heard(440, call.Times().Answered, heard))
	offered, err := agent.WaitCall(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the agent saw", offered.PeerName(), offered.Peer(), offered.Header("Call-Info"))
	_ = call.Hangup(ctx)
	fmt.Println("ended by", offered.End().By)
}

package event

// Subjects of the questions that services answer, by request and reply. What is asked and answered are the messages of
// that name in the contract, such as ContactLookupRequest and ContactLookupResponse.
const (
	QueryContactLookup      = "pbx.query.contact.lookup"
	QueryContactInvalidate  = "pbx.query.contact.invalidate"
	QueryAgentList          = "pbx.query.agent.list"
	QueryAgentGet           = "pbx.query.agent.get"
	QueryAgentStatistics    = "pbx.query.agent.statistics"
	QueryCallList           = "pbx.query.call.list"
	QueryMissedCallList     = "pbx.query.missed_call.list"
	QueryMissedCallAct      = "pbx.query.missed_call.act"
	QueryMissedCallSilence  = "pbx.query.missed_call.silence"
	QueryMissedCallSilences = "pbx.query.missed_call.silences"
)

"""Entries of logs as their documentation describes them, made up for tests (read in November 2026).

"Common and service-specific schemas for Azure resource logs", "Reference: Gateway log schema" (API Management),
"ApiManagementGatewayLogs" and "ApiManagementGatewayLlmLog" (Azure Monitor tables), "Log token usage, prompts, and
completions for LLM APIs", "How to use the Usage API and Cost API" (OpenAI, January 2025) and its API reference;
"OTLP JSON Encoding", "OpenTelemetry Protocol File Exporter" and "Semantic conventions for generative client AI spans".
"""

from __future__ import annotations

import json
from typing import Any

RESOURCE = "/SUBSCRIPTIONS/0000/RESOURCEGROUPS/ML/PROVIDERS/MICROSOFT.COGNITIVESERVICES/ACCOUNTS/SEED-EAST"
GATEWAY = "/subscriptions/0000/resourceGroups/ml/providers/Microsoft.ApiManagement/service/seed-gate"


def azure(time: str, **more: Any) -> dict[str, Any]:
    """A resource log of Azure OpenAI."""
    properties = {"modelDeploymentName": "gpt4-prod", "modelName": "gpt-4", "streamType": "Non-Streaming"}
    return {
        "time": time, "resourceId": RESOURCE, "category": "RequestResponse", "operationName": "ChatCompletions_Create",
        "resultSignature": "200", "durationMs": 812, "correlationId": f"c-{time}", "properties": json.dumps(properties),
        **more,
    }  # fmt: skip


def diagnostics(time: str) -> dict[str, Any]:
    """The same as a row of AzureDiagnostics."""
    entry = azure(time)
    return {
        "TimeGenerated [UTC]": time, "ResourceId": RESOURCE, "Category": "RequestResponse",
        "OperationName": "ChatCompletions_Create", "ResultSignature": "200", "properties_s": entry["properties"],
    }  # fmt: skip


def body(*answers: str, model: str = "gpt-4") -> str:
    """The body of a response of chat completions."""
    choices = [{"index": i, "message": {"role": "assistant", "content": text}} for i, text in enumerate(answers)]
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": choices})


def gateway(time: str, host: str, answer: str = "", **more: Any) -> dict[str, Any]:
    """A row of ApiManagementGatewayLogs."""
    request = {"model": "gpt-4", "messages": [{"role": "user", "content": "a question that is nobody's answer at all"}]}
    return {
        "TimeGenerated": time, "CorrelationId": f"g-{time}-{host}", "_ResourceId": GATEWAY, "Method": "POST",
        "Url": "https://gate.example.com/openai", "BackendUrl": f"https://{host}/v1/chat/completions",
        "ResponseCode": 200, "BackendResponseCode": 200, "IsRequestSuccess": True,
        "RequestBody": json.dumps(request), "BackendResponseBody": body(answer) if answer else "", **more,
    }  # fmt: skip


def models(time: str, *answers: str, number: int = 0) -> dict[str, Any]:
    """A row of ApiManagementGatewayLlmLog."""
    return {
        "TimeGenerated": time, "CorrelationId": f"m-{time}", "_ResourceId": GATEWAY, "DeploymentName": "gpt4-prod",
        "ModelName": "gpt-4", "PromptTokens": 10, "CompletionTokens": 20, "TotalTokens": 30, "SequenceNumber": number,
        "RequestMessages": json.dumps([{"role": "user", "content": "a question that is nobody's answer at all"}]),
        "ResponseMessages": json.dumps([{"role": "assistant", "content": text} for text in answers]),
    }  # fmt: skip


def bucket(start: int, requests: int, model: str | None = "gpt-4-0613", seconds: int = 3600) -> dict[str, Any]:
    """A bucket of OpenAI's completions usage."""
    result = {
        "object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 500,
        "num_model_requests": requests, "project_id": "proj_1", "user_id": None, "api_key_id": None, "model": model,
        "batch": None,
    }  # fmt: skip
    return {"object": "bucket", "start_time": start, "end_time": start + seconds, "results": [result]}


def otlp(*spans: dict[str, Any], name: str = "generator") -> dict[str, Any]:
    """A line of OTLP as a collector or an SDK writes it to a file."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]}
    return {
        "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "openai"}, "spans": list(spans)}]}]
    }


def span(time: int, own: str = "a", parent: str = "", status: int = 0, **attributes: Any) -> dict[str, Any]:
    """A span that began at a time, seconds since 1970; ``__`` stands for a dot in the names of attributes."""

    def value(one: Any) -> dict[str, Any]:
        if isinstance(one, str):
            return {"stringValue": one}
        return (
            {"intValue": str(one)}
            if isinstance(one, int)
            else {"arrayValue": {"values": [value(each) for each in one]}}
        )

    return {
        "traceId": "0" * 31 + "1", "spanId": own, "parentSpanId": parent, "name": "chat gpt-4o", "kind": 3,
        "startTimeUnixNano": f"{time}000000001", "endTimeUnixNano": f"{time + 1}000000000", "status": {"code": status},
        "attributes": [{"key": key.replace("__", "."), "value": value(one)} for key, one in attributes.items()],
    }  # fmt: skip

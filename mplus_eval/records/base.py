"""The base of every record that is stored as JSON, and the records that several parts of a comparison are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

Interval = tuple[float, float]
Probability = Annotated[float, Field(ge=0, le=1)]


class Record(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    # Without an annotation, since pydantic would take it for the JSON Schema of every record.
    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo):  # type: ignore[no-untyped-def]
        """Leave out of JSON what was not evaluated; a field that must be there stays, as null."""
        fields = handler(self)
        if info.mode != "json":
            return fields
        definitions = type(self).model_fields
        return {key: value for key, value in fields.items() if value is not None or definitions[key].is_required()}

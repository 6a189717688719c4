"""Settings of an S3 connection for libraries that do not use s3fs."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from sxeslake.errors import UsageError

from .options import S3Settings

_REGION = "us-east-1"  # signatures need one; servers other than AWS take any


def object_store_options(settings: S3Settings) -> dict[str, str]:
    """In the words of the Rust crate `object_store`: credentials are found as s3fs finds them."""
    session = Session(profile=settings.profile)
    try:
        region = settings.region or session.get_config_variable("region") or _REGION
        endpoint = settings.endpoint_url or _endpoint(session)
        found = {"aws_region": region, "conditional_put": "etag", **_credentials(settings, session)}
    except BotoCoreError as error:
        raise UsageError(f"the AWS configuration cannot be used ({type(error).__name__}).") from None
    if endpoint:
        found |= {"aws_endpoint": endpoint, "aws_allow_http": str(endpoint.startswith("http://")).lower()}
    if settings.addressing_style == "virtual":
        found["aws_virtual_hosted_style_request"] = "true"
    if isinstance(settings.verify, str):
        raise UsageError(
            "verify=PATH cannot be used to publish tables.", hint="Add the certificate to those of the system."
        )
    if settings.verify is False:
        found["allow_invalid_certificates"] = "true"
    return found


def _credentials(settings: S3Settings, session: Session) -> dict[str, str]:
    if settings.anon:
        return {"aws_skip_signature": "true"}
    if settings.key and settings.secret:
        token = settings.token
        found = {"aws_access_key_id": settings.key, "aws_secret_access_key": settings.secret}
    else:
        credentials = session.get_credentials()
        if credentials is None:
            return {}
        frozen = credentials.get_frozen_credentials()
        token = frozen.token
        found = {"aws_access_key_id": frozen.access_key, "aws_secret_access_key": frozen.secret_key}
    return found | ({"aws_session_token": token} if token else {})


def _endpoint(session: Session) -> str | None:
    """What the variables AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL, or the profile, say."""
    client = session.create_client("s3", region_name=_REGION, aws_access_key_id="-", aws_secret_access_key="-")
    url = str(client.meta.endpoint_url)
    return None if url.endswith(".amazonaws.com") else url

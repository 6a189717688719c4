# A bucket for lakes. The policies are the files of ../../aws, which the tests of sxeslake try on a real S3 server.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  roles  = toset(["reader", "ingester", "steward"])
  locked = var.lock_days > 0

  policies = {
    for name in setunion(local.roles, ["bucket-policy"]) :
    name => replace(
      replace(file("${path.module}/../../aws/${name}.json"), "BUCKET", var.bucket),
      "arn:aws:", "arn:${data.aws_partition.current.partition}:"
    )
  }
  # The files name a user of the account; here the steward is a role.
  steward_user = "arn:${data.aws_partition.current.partition}:iam::ACCOUNT:user/sxeslake-steward"
}

resource "aws_s3_bucket" "lake" {
  bucket              = var.bucket
  object_lock_enabled = local.locked
  tags                = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_public_access_block" "lake" {
  bucket                  = aws_s3_bucket.lake.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = aws_s3_bucket.lake.id
  policy = replace(local.policies["bucket-policy"], local.steward_user, aws_iam_role.lake["steward"].arn)

  depends_on = [aws_s3_bucket_public_access_block.lake]
}

# Current objects never expire and never move to a class that must be restored before it is read.
resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    id     = "abort-unfinished-uploads"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  rule {
    id     = "free-old-versions"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.keep_old_versions_days
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  depends_on = [aws_s3_bucket_versioning.lake]
}

resource "aws_s3_bucket_logging" "lake" {
  count = var.access_log_bucket == null ? 0 : 1

  bucket        = aws_s3_bucket.lake.id
  target_bucket = var.access_log_bucket
  target_prefix = "${var.bucket}/"
}

# Object lock, and its renewal. New objects are locked for `lock_days`; each week a batch job locks every current object
# again for so long. What gc deleted is no current object: its lock runs out, and the lifecycle frees it.

resource "aws_s3_bucket_object_lock_configuration" "lake" {
  count = local.locked ? 1 : 0

  bucket = aws_s3_bucket.lake.id

  rule {
    default_retention {
      mode = var.lock_mode
      days = var.lock_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.lake]
}

data "aws_iam_policy_document" "service" {
  for_each = local.locked ? {
    renewal  = "batchoperations.s3.amazonaws.com"
    renewer  = "states.amazonaws.com"
    schedule = "scheduler.amazonaws.com"
  } : {}

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "service" {
  for_each = data.aws_iam_policy_document.service

  name               = "${var.name}-lock-${each.key}"
  assume_role_policy = each.value.json
  tags               = var.tags
}

# The job may prolong a lock, and neither read nor write an object.
resource "aws_iam_role_policy" "renewal" {
  count = local.locked ? 1 : 0

  name = "renewal"
  role = aws_iam_role.service["renewal"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:PutObjectRetention"]
        Resource = "${aws_s3_bucket.lake.arn}/*"
      },
      {
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketObjectLockConfiguration", "s3:PutInventoryConfiguration"]
        Resource = aws_s3_bucket.lake.arn
      },
    ]
  })
}

resource "aws_iam_role_policy" "renewer" {
  count = local.locked ? 1 : 0

  name = "renewer"
  role = aws_iam_role.service["renewer"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:CreateJob"]
        Resource = "*"
      },
      {
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = aws_iam_role.service["renewal"].arn
      },
    ]
  })
}

resource "aws_sfn_state_machine" "renewer" {
  count = local.locked ? 1 : 0

  name     = "${var.name}-lock-renewal"
  role_arn = aws_iam_role.service["renewer"].arn
  tags     = var.tags

  definition = jsonencode({
    Comment       = "Lock every current object of ${var.bucket} for ${var.lock_days} days from now."
    QueryLanguage = "JSONata"
    StartAt       = "Renew"
    States = {
      Renew = {
        Type     = "Task"
        Resource = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:s3control:createJob"
        Arguments = {
          AccountId            = data.aws_caller_identity.current.account_id
          ClientRequestToken   = "{% $states.context.Execution.Name %}"
          ConfirmationRequired = false
          Description          = "Renew the lock of ${var.bucket}"
          Priority             = 10
          RoleArn              = aws_iam_role.service["renewal"].arn
          Report               = { Enabled = false }
          ManifestGenerator = {
            S3JobManifestGenerator = {
              SourceBucket         = aws_s3_bucket.lake.arn
              EnableManifestOutput = false
            }
          }
          Operation = {
            S3PutObjectRetention = {
              Retention = {
                Mode            = var.lock_mode
                RetainUntilDate = "{% $fromMillis($millis() + ${var.lock_days} * 86400000) %}"
              }
            }
          }
        }
        Retry = [{ ErrorEquals = ["States.ALL"], IntervalSeconds = 60, MaxAttempts = 5, BackoffRate = 3 }]
        End   = true
      }
    }
  })
}

resource "aws_iam_role_policy" "schedule" {
  count = local.locked ? 1 : 0

  name = "schedule"
  role = aws_iam_role.service["schedule"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["states:StartExecution"]
      Resource = aws_sfn_state_machine.renewer[0].arn
    }]
  })
}

resource "aws_scheduler_schedule" "renewal" {
  count = local.locked ? 1 : 0

  name                = "${var.name}-lock-renewal"
  schedule_expression = "rate(7 days)"

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 60
  }

  target {
    arn      = aws_sfn_state_machine.renewer[0].arn
    role_arn = aws_iam_role.service["schedule"].arn
  }
}
